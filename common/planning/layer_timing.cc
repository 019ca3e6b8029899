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

WorkerWork WorkOf(const WorkerTokens& tokens, const CostModel& cost) {
  WorkerWork work;
  // Sums of whole tokens and experts, so that equal loads take equal times to
  // the last bit, in whatever order they were added up.
  work.staying_us =
      static_cast<double>(tokens.staying_experts) * cost.expert_launch_us +
      static_cast<double>(tokens.staying) * cost.us_per_token;
  for (size_t link = 0; link < kLinkClasses; ++link) {
    const int64_t travelling = std::max(tokens.in[link], tokens.out[link]);
    if (travelling <= 0) continue;
    const double bytes =
        static_cast<double>(travelling) * static_cast<double>(cost.token_bytes);
    work.exchange_us =
        std::max(work.exchange_us,
                 cost.link(static_cast<LinkClass>(link)).TransferUs(bytes));
  }
  return work;
}

void LayerWork::Clear() {
  workers.clear();
  nodes.clear();
  transfers.clear();
  copies.clear();
  planning_us = 0;
}

bool LayerTimer::Time(const LayerWork& work, LayerTiming& timing,
                      double give_up_us) {
  work_ = &work;
  workers_.resize(work.workers.size());
  TimeUndisturbed(timing);
  // Absurd costs can take forever, which is no reason to give up by itself.
  if (give_up_us < kNever && timing.undisturbed_us >= give_up_us) return false;
  TimeForward(timing);
  TimeBackward(timing);
  timing.forward_us += work.planning_us;
  return true;
}

void LayerTimer::TimeUndisturbed(LayerTiming& timing) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i].compute_us = work_->workers[i].staying_us;
    workers_[i].borrowed.clear();
  }
  for (const TimedCopy& copy : work_->copies) {
    workers_[copy.worker].compute_us += copy.compute_us;
  }
  double forward_us = 0;
  double backward_us = 0;
  for (size_t i = 0; i < workers_.size(); ++i) {
    const double exchanges_us = 2 * work_->workers[i].exchange_us;
    const double compute_us = workers_[i].compute_us;
    forward_us = std::max(forward_us, exchanges_us + compute_us);
    backward_us = std::max(backward_us,
                           exchanges_us + cost_.backward_factor * compute_us);
  }
  timing.undisturbed_us = forward_us + backward_us;
  early_us_ = -cost_.head_start * forward_us;
}

// Early transfers have the lanes from their head start on; the exchange that
// opens the pass has them before the others.
void LayerTimer::SendParameters() {
  const auto& transfers = work_->transfers;
  const bool any_early = !transfers.empty() && transfers.front().early;
  lanes_.Begin(cost_, work_->nodes, any_early ? early_us_ : 0);
  states_.clear();
  journeys_.resize(transfers.size());
  size_t next = 0;
  for (; next < transfers.size() && transfers[next].early; ++next) {
    SendTransfer(next, early_us_);
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    lanes_.Reserve(i, work_->workers[i].exchange_us);
  }
  for (; next < transfers.size(); ++next) SendTransfer(next, 0);
  for (const TimedTransfer& transfer : transfers) {
    if (transfer.move) {
      SendOptimizerState(transfer, transfer.early ? early_us_ : 0);
    }
  }
}

void LayerTimer::SendTransfer(size_t index, double earliest_us) {
  const TimedTransfer& transfer = work_->transfers[index];
  others_.clear();
  for (size_t i = transfer.begin_copy; i < transfer.end_copy; ++i) {
    others_.push_back(work_->copies[i].worker);
  }
  arrivals_us_.resize(others_.size());
  const auto bytes = static_cast<double>(cost_.expert_bytes);
  Journey& journey = journeys_[index];
  journey = Journey();
  journey.parameters = lanes_.RouteTo(transfer.from, others_, bytes);
  lanes_.Send(Lanes::Direction::kFromHome, journey.parameters, transfer.from,
              others_, bytes, earliest_us, absl::MakeSpan(arrivals_us_));
  for (size_t i = 0; i < others_.size(); ++i) {
    const size_t copy = transfer.begin_copy + i;
    // Nobody waits for a replica that the split does not use.
    if (work_->copies[copy].compute_us == 0) continue;
    ++journey.computing;
    workers_[others_[i]].borrowed.push_back({arrivals_us_[i], copy, index});
  }
}

void LayerTimer::SendOptimizerState(const TimedTransfer& transfer,
                                    double earliest_us) {
  const size_t to = work_->copies[transfer.begin_copy].worker;
  const auto bytes = static_cast<double>(cost_.optimizer_bytes);
  double end_us = 0;
  lanes_.Send(Lanes::Direction::kFromHome, Route(), transfer.from,
              absl::MakeConstSpan(&to, 1), bytes, earliest_us,
              absl::MakeSpan(&end_us, 1));
  const double duration_us =
      cost_.link(lanes_.ClassBetween(transfer.from, to)).TransferUs(bytes);
  states_.push_back({transfer.from, to, end_us - duration_us, end_us});
}

void LayerTimer::TimeForward(LayerTiming& timing) {
  timing.workers.assign(workers_.size(), {});
  timing.forward_us = 0;
  SendParameters();
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    std::sort(worker.borrowed.begin(), worker.borrowed.end(),
              [](const Borrowed& a, const Borrowed& b) {
                return std::pair(a.arrival_us, a.copy) <
                       std::pair(b.arrival_us, b.copy);
              });
    const BusySpans& busy = lanes_.busy(i);
    const double slowdown = cost_.overlap_slowdown;
    // What went early slowed the layer that it ran under, which has the same
    // compute as this one.
    const double slowed_us =
        std::min(busy.BusyBefore(0), worker.compute_us * slowdown);
    double now_us =
        work_->workers[i].exchange_us + slowed_us * (1 - 1 / slowdown);
    now_us = busy.Advance(now_us, work_->workers[i].staying_us, slowdown) +
             lanes_.host_us(i);
    for (const Borrowed& borrowed : worker.borrowed) {
      now_us = busy.Advance(std::max(now_us, borrowed.arrival_us),
                            work_->copies[borrowed.copy].compute_us, slowdown);
    }
    timing.workers[i].forward_us = now_us + work_->workers[i].exchange_us;
    timing.forward_us =
        std::max(timing.forward_us, timing.workers[i].forward_us);
  }
}

double LayerTimer::BorrowedBackwardEnd(const Worker& worker) const {
  const Borrowed& current = worker.borrowed[worker.remaining - 1];
  const TimedCopy& copy = work_->copies[current.copy];
  return lanes_.busy(copy.worker)
      .Advance(worker.began_us, cost_.backward_factor * copy.compute_us,
               cost_.overlap_slowdown);
}

// Runs the borrowed experts' backward, the last arrived first as autograd does,
// and sends each gradient home when it is there, in order of time.
void LayerTimer::RunBorrowedBackward() {
  for (Journey& journey : journeys_) journey.pending = journey.computing;
  ends_.clear();
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].remaining == 0) continue;
    ends_.emplace_back(BorrowedBackwardEnd(workers_[i]), i);
  }
  const auto later = std::greater<>();
  std::make_heap(ends_.begin(), ends_.end(), later);
  while (!ends_.empty()) {
    std::pop_heap(ends_.begin(), ends_.end(), later);
    const auto [end_us, index] = ends_.back();
    ends_.pop_back();
    Worker& worker = workers_[index];
    // A gradient on its way may have slowed this worker down meanwhile; nothing
    // that starts later can.
    const double slowed_us = BorrowedBackwardEnd(worker);
    if (slowed_us <= end_us) {
      FinishBorrowed(worker.borrowed[--worker.remaining], end_us);
      worker.began_us = end_us;
      if (worker.remaining == 0) continue;
    }
    ends_.emplace_back(BorrowedBackwardEnd(worker), index);
    std::push_heap(ends_.begin(), ends_.end(), later);
  }
}

// Sends a gradient home, or along the chain once all on it have theirs.
void LayerTimer::FinishBorrowed(const Borrowed& borrowed, double end_us) {
  const TimedTransfer& transfer = work_->transfers[borrowed.transfer];
  if (transfer.move) return;
  Journey& journey = journeys_[borrowed.transfer];
  --journey.pending;
  const Route& route = GradientRoute(transfer, journey);
  if (route.kind == RouteKind::kApart) {
    others_.assign(1, work_->copies[borrowed.copy].worker);
  } else if (journey.pending > 0) {
    return;
  } else {
    ListComputing(transfer);
  }
  SendGradient(transfer, route, end_us);
}

const Route& LayerTimer::GradientRoute(const TimedTransfer& transfer,
                                       Journey& journey) {
  if (journey.computing == transfer.end_copy - transfer.begin_copy) {
    return journey.parameters;
  }
  if (!journey.gradients_known) {
    ListComputing(transfer);
    journey.gradients = lanes_.RouteTo(transfer.from, others_,
                                       static_cast<double>(cost_.expert_bytes));
    journey.gradients_known = true;
  }
  return journey.gradients;
}

// The workers that compute some of the expert's tokens.
void LayerTimer::ListComputing(const TimedTransfer& transfer) {
  others_.clear();
  for (size_t i = transfer.begin_copy; i < transfer.end_copy; ++i) {
    const TimedCopy& copy = work_->copies[i];
    if (copy.compute_us > 0) others_.push_back(copy.worker);
  }
}

void LayerTimer::SendGradient(const TimedTransfer& transfer, const Route& route,
                              double end_us) {
  arrivals_us_.resize(others_.size());
  lanes_.Send(Lanes::Direction::kToHome, route, transfer.from, others_,
              static_cast<double>(cost_.expert_bytes), end_us,
              absl::MakeSpan(arrivals_us_));
  double& home_us = workers_[transfer.from].gradients_home_us;
  home_us = std::max(home_us, arrivals_us_.back());
}

void LayerTimer::TimeBackward(LayerTiming& timing) {
  lanes_.Begin(cost_, work_->nodes, 0);
  timing.backward_us = 0;
  for (size_t i = 0; i < workers_.size(); ++i) {
    lanes_.Reserve(i, work_->workers[i].exchange_us);
    workers_[i].remaining = workers_[i].borrowed.size();
    workers_[i].began_us = work_->workers[i].exchange_us;
    workers_[i].gradients_home_us = 0;
  }
  for (const StateTransfer& state : states_) {
    const double end_us = state.end_us - timing.forward_us;
    if (end_us <= 0) continue;
    lanes_.Continue(state.from, state.to, state.begin_us - timing.forward_us,
                    end_us);
    timing.backward_us = std::max(timing.backward_us, end_us);
  }
  RunBorrowedBackward();
  for (size_t i = 0; i < workers_.size(); ++i) {
    const Worker& worker = workers_[i];
    const double computed_us =
        lanes_.busy(i).Advance(
            worker.began_us,
            cost_.backward_factor * work_->workers[i].staying_us,
            cost_.overlap_slowdown) +
        lanes_.host_us(i);
    timing.workers[i].backward_us = std::max(
        computed_us + work_->workers[i].exchange_us, worker.gradients_home_us);
    timing.backward_us =
        std::max(timing.backward_us, timing.workers[i].backward_us);
  }
}

}  // namespace balancemoe
