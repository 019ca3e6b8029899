#include "common/planning/layer_timing.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace balancemoe {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

}  // namespace

double ExpertComputeUs(const CostModel& cost, int64_t tokens) {
  if (tokens == 0) return 0;
  return cost.expert_launch_us +
         static_cast<double>(tokens) * cost.us_per_token;
}

double TransferUs(const CostModel& cost) {
  return cost.link_latency_us +
         static_cast<double>(cost.expert_bytes) * cost.link_us_per_byte;
}

WorkerWork WorkOf(const WorkerTokens& tokens, const CostModel& cost) {
  WorkerWork work;
  // Sums of whole tokens and experts, so that equal loads take equal times to
  // the last bit, in whatever order they were added up.
  work.staying_us =
      static_cast<double>(tokens.staying_experts) * cost.expert_launch_us +
      static_cast<double>(tokens.staying) * cost.us_per_token;
  const int64_t travelling =
      std::max(tokens.computed - tokens.local, tokens.routed - tokens.local);
  if (travelling > 0) {
    work.all_to_all_us =
        cost.link_latency_us + static_cast<double>(travelling) *
                                   static_cast<double>(cost.token_bytes) *
                                   cost.link_us_per_byte;
  }
  return work;
}

LayerTimer::LayerTimer(const CostModel& cost)
    : cost_(cost), transfer_us_(TransferUs(cost)) {}

void LayerTimer::Time(absl::Span<const WorkerWork> workers,
                      absl::Span<const TimedLend> lends,
                      absl::Span<WorkerTimes> times) {
  workers_.resize(workers.size());
  TimeForward(workers, lends, times);
  TimeBackward(workers, lends, times);
}

// The exchange of tokens that opens a pass has the lanes first.
void LayerTimer::ClearLanes(absl::Span<const WorkerWork> workers) {
  for (size_t i = 0; i < workers.size(); ++i) {
    for (Lane* lane : {&workers_[i].send, &workers_[i].receive}) {
      lane->busy.clear();
      lane->free_us = workers[i].all_to_all_us;
    }
  }
}

// Sends one expert as soon as both lanes are free; returns its arrival.
double LayerTimer::Occupy(Lane& sending, Lane& receiving, double earliest_us) {
  const double begin_us =
      std::max({sending.free_us, receiving.free_us, earliest_us});
  const double end_us = begin_us + transfer_us_;
  for (Lane* lane : {&sending, &receiving}) {
    lane->free_us = end_us;
    lane->busy.push_back({begin_us, end_us});
  }
  return end_us;
}

// When `work_us` of compute ends that begins at `begin_us`: slower while one of
// the worker's transfers is under way.
double LayerTimer::Compute(const Worker& worker, double begin_us,
                           double work_us) const {
  if (cost_.overlap_slowdown == 1) return begin_us + work_us;
  double now_us = begin_us;
  while (true) {
    bool busy = false;
    double change_us = kNever;
    for (const Lane* lane : {&worker.send, &worker.receive}) {
      const auto next = std::upper_bound(
          lane->busy.begin(), lane->busy.end(), now_us,
          [](double time, const Interval& span) { return time < span.end_us; });
      if (next == lane->busy.end()) continue;
      const bool under_way = next->begin_us <= now_us;
      busy = busy || under_way;
      change_us =
          std::min(change_us, under_way ? next->end_us : next->begin_us);
    }
    const double pace = busy ? cost_.overlap_slowdown : 1;
    if (now_us + work_us * pace <= change_us) return now_us + work_us * pace;
    work_us -= (change_us - now_us) / pace;
    now_us = change_us;
  }
}

// Processor time that this pass's transfers take from the worker's compute.
double LayerTimer::HostUs(const Worker& worker) const {
  return static_cast<double>(worker.send.busy.size() +
                             worker.receive.busy.size()) *
         static_cast<double>(cost_.expert_bytes) * cost_.host_cpu_us_per_byte;
}

void LayerTimer::TimeForward(absl::Span<const WorkerWork> workers,
                             absl::Span<const TimedLend> lends,
                             absl::Span<WorkerTimes> times) {
  ClearLanes(workers);
  for (Worker& worker : workers_) worker.borrowed.clear();
  for (size_t i = 0; i < lends.size(); ++i) {
    Worker& borrower = workers_[lends[i].to];
    const double arrival_us =
        Occupy(workers_[lends[i].from].send, borrower.receive, 0);
    borrower.borrowed.push_back({arrival_us, i});
  }
  for (size_t i = 0; i < workers.size(); ++i) {
    const Worker& worker = workers_[i];
    double now_us =
        Compute(worker, workers[i].all_to_all_us, workers[i].staying_us) +
        HostUs(worker);
    for (const Borrowed& borrowed : worker.borrowed) {
      now_us = Compute(worker, std::max(now_us, borrowed.arrival_us),
                       lends[borrowed.lend].compute_us);
    }
    times[i].forward_us = now_us + workers[i].all_to_all_us;
  }
}

double LayerTimer::BorrowedBackwardEnd(
    const Worker& worker, absl::Span<const TimedLend> lends) const {
  const Borrowed& current = worker.borrowed[worker.remaining - 1];
  return Compute(worker, worker.began_us,
                 cost_.backward_factor * lends[current.lend].compute_us);
}

// Runs the borrowed experts' backward, the last arrived first as autograd does,
// and sends each gradient home when it is there, in order of time.
void LayerTimer::ReturnGradients(absl::Span<const TimedLend> lends) {
  using End = std::pair<double, size_t>;
  std::priority_queue<End, std::vector<End>, std::greater<End>> ends;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].remaining == 0) continue;
    ends.emplace(BorrowedBackwardEnd(workers_[i], lends), i);
  }
  while (!ends.empty()) {
    const auto [end_us, index] = ends.top();
    ends.pop();
    Worker& borrower = workers_[index];
    // A gradient that has come in meanwhile may have slowed this worker down;
    // nothing that starts later can.
    const double slowed_us = BorrowedBackwardEnd(borrower, lends);
    if (slowed_us > end_us) {
      ends.emplace(slowed_us, index);
      continue;
    }
    const size_t lend = borrower.borrowed[--borrower.remaining].lend;
    Occupy(borrower.send, workers_[lends[lend].from].receive, end_us);
    borrower.began_us = end_us;
    if (borrower.remaining == 0) continue;
    ends.emplace(BorrowedBackwardEnd(borrower, lends), index);
  }
}

void LayerTimer::TimeBackward(absl::Span<const WorkerWork> workers,
                              absl::Span<const TimedLend> lends,
                              absl::Span<WorkerTimes> times) {
  ClearLanes(workers);
  for (size_t i = 0; i < workers.size(); ++i) {
    workers_[i].remaining = workers_[i].borrowed.size();
    workers_[i].began_us = workers[i].all_to_all_us;
  }
  if (!lends.empty()) ReturnGradients(lends);
  for (size_t i = 0; i < workers.size(); ++i) {
    const Worker& worker = workers_[i];
    const double computed_us =
        Compute(worker, worker.began_us,
                cost_.backward_factor * workers[i].staying_us) +
        HostUs(worker);
    times[i].backward_us = computed_us + workers[i].all_to_all_us;
    if (worker.receive.busy.empty()) continue;
    times[i].backward_us =
        std::max(times[i].backward_us, worker.receive.free_us);
  }
}

LayerTiming TimeLayer(const LayerLoads& loads, const CostModel& cost,
                      absl::Span<const Lend> lends) {
  std::vector<WorkerWork> work;
  for (const WorkerTokens& tokens : loads.WorkersUnder(lends)) {
    work.push_back(WorkOf(tokens, cost));
  }
  std::vector<TimedLend> timed;
  timed.reserve(lends.size());
  for (const Lend& lend : lends) {
    timed.push_back({lend.from.index(), lend.to.index(),
                     ExpertComputeUs(cost, loads.TokensOfExpert(lend.expert))});
  }
  LayerTiming timing;
  timing.workers.resize(work.size());
  LayerTimer(cost).Time(work, timed, absl::MakeSpan(timing.workers));
  for (const WorkerTimes& times : timing.workers) {
    timing.forward_us = std::max(timing.forward_us, times.forward_us);
    timing.backward_us = std::max(timing.backward_us, times.backward_us);
  }
  return timing;
}

}  // namespace balancemoe
