#include "common/replay/replayed_layer.h"

#include <algorithm>
#include <cstddef>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/planning/planning_cost.h"
#include "common/planning/top_up.h"

namespace balancemoe {
ReplayedLayer::ReplayedLayer(const Setup& setup, const Policy& policy,
                             const Clock& clock)
    : setup_(setup),
      policy_(policy),
      clock_(clock),
      inline_(setup.choice.mode == "inline"),
      forecaster_(CostModelOf(setup.profile)) {
  snapshot_.home_of_expert = ContiguousPlacement(setup.workers, setup.experts);
  snapshot_.spare_slots.assign(static_cast<size_t>(setup.workers), setup.slots);
  snapshot_.node_of_worker = NodesOf(setup.profile, setup.workers);
  snapshot_.cost = CostModelOf(setup.profile);
}

ReplayedDecision ReplayedLayer::Next(Iteration iteration,
                                     const LoadMatrix& tokens) {
  ReplayedDecision decision;
  const absl::Time start = clock_.Now();
  LayerPlan plan = Plan(iteration, tokens);
  decision.solve_us = absl::ToDoubleMicroseconds(clock_.Now() - start);
  snapshot_.home_of_expert = HomesAfter(snapshot_.home_of_expert, plan.moves);
  const LayerLoads loads(tokens, snapshot_.home_of_expert,
                         snapshot_.node_of_worker);
  ApplyPlan(loads, plan);
  TimeLayer(loads, plan, decision);
  decision.peak_memory_bytes = PeakMemoryBytes();
  decision.energy_j = EnergyJ(decision.layer_us);
  CountTransfers(plan, decision);
  snapshot_.planned_ratio = plan.planned_ratio;
  Remember(iteration, loads);
  return decision;
}

// What the workers make of the plan when they know the exact counts.
void ReplayedLayer::ApplyPlan(const LayerLoads& loads, LayerPlan& plan) {
  const bool tops_up = setup_.choice.mode == "hybrid" &&
                       TraitsOf(setup_.choice.name).planner != Planner::kNobody;
  if (!tops_up) {
    lends_ = ResolveQuotas(plan, loads, splitter_);
    planned_lends_ = inline_ ? 0 : lends_.size();
    return;
  }
  std::vector<Replica> planned;
  for (const Lend& lend : plan.lends) {
    planned.push_back({lend.expert, lend.to});
  }
  std::sort(planned.begin(), planned.end());
  TopUpResult top_up =
      TopUp(loads, snapshot_.cost, UsableSlots(snapshot_), planned);
  lends_ = std::move(top_up.lends);
  planned_lends_ = top_up.planned;
  plan.searched = top_up.searched;
}

// In the first iteration there is nothing to plan ahead from.
LayerPlan ReplayedLayer::Plan(Iteration iteration, const LoadMatrix& tokens) {
  snapshot_.iteration = iteration;
  if (inline_) {
    snapshot_.tokens = tokens;
  } else if (snapshot_.history.empty()) {
    return {};
  }
  return policy_.Decide(snapshot_);
}

void ReplayedLayer::TimeLayer(const LayerLoads& loads, const LayerPlan& plan,
                              ReplayedDecision& decision) {
  const LayerUse use = {
      .moves = plan.moves,
      .lends = lends_,
      .early_lends = planned_lends_,
      .early_moves = !inline_,
      .fan_out = plan.fan_out,
      .planning_us = PlanningUs(setup_.choice, setup_.workers, setup_.experts,
                                plan.searched, setup_.profile.plan_latency_us)};
  const LayerTiming& timing = forecaster_.Time(loads, use);
  decision.layer_us = timing.layer_us();
  // Never negative but for rounding.
  decision.exposed_transfer_us = std::max(
      timing.layer_us() - timing.undisturbed_us - use.planning_us, 0.0);
  const BusiestWorker busiest = FindBusiest(forecaster_.workers());
  decision.peak_tokens = busiest.tokens;
  decision.imbalance = busiest.times_mean;
}

// Parameters, gradients and optimizer state at home; parameters and gradients
// of replicas; activations of all tokens that a worker computes.
double ReplayedLayer::PeakMemoryBytes() const {
  const Profile& profile = setup_.profile;
  const auto parameters = static_cast<double>(profile.parameters_per_expert());
  const double replica_bytes =
      2 * parameters * static_cast<double>(profile.dtype_bytes);
  const double home_bytes =
      replica_bytes +
      parameters * static_cast<double>(profile.optimizer_bytes_per_parameter);
  std::vector<double> memory;
  for (const WorkerTokens& worker : forecaster_.workers()) {
    memory.push_back(static_cast<double>(worker.computed * 2 *
                                         (profile.hidden + profile.ffn) *
                                         profile.dtype_bytes));
  }
  for (const WorkerRank home : snapshot_.home_of_expert) {
    memory[home.index()] += home_bytes;
  }
  for (const Lend& lend : lends_) {
    memory[lend.to.index()] += replica_bytes;
  }
  return *std::max_element(memory.begin(), memory.end());
}

// Busy while computing, idle else.
double ReplayedLayer::EnergyJ(double layer_us) const {
  const Profile& profile = setup_.profile;
  double computing_us = 0;
  for (const WorkerWork& worker : forecaster_.work().workers) {
    computing_us += worker.staying_us;
  }
  for (const TimedCopy& copy : forecaster_.work().copies) {
    computing_us += copy.compute_us;
  }
  computing_us *= 1 + profile.backward_factor;
  return 1e-6 * (profile.watts.idle * setup_.workers * layer_us +
                 (profile.watts.busy - profile.watts.idle) * computing_us);
}

void ReplayedLayer::CountTransfers(const LayerPlan& plan,
                                   ReplayedDecision& decision) const {
  const CostModel& cost = snapshot_.cost;
  decision.moves = static_cast<int64_t>(plan.moves.size());
  decision.bytes =
      static_cast<double>(decision.moves) *
      static_cast<double>(cost.expert_bytes + cost.optimizer_bytes);
  for (size_t i = 0; i < lends_.size(); ++i) {
    const Replica replica = {lends_[i].expert, lends_[i].to};
    // A lend planned inline, and a top-up, are for this iteration alone.
    const bool kept = i < planned_lends_ &&
                      std::binary_search(snapshot_.replicas.begin(),
                                         snapshot_.replicas.end(), replica);
    ++(kept ? decision.renewals : decision.new_lends);
    // Parameters there, and the gradient home where one was computed.
    decision.bytes +=
        static_cast<double>(cost.expert_bytes) * (lends_[i].tokens > 0 ? 2 : 1);
  }
}

// Top-ups are for this iteration alone.
void ReplayedLayer::Remember(Iteration iteration, const LayerLoads& loads) {
  snapshot_.replicas.clear();
  for (const Lend& lend : absl::MakeConstSpan(lends_).first(planned_lends_)) {
    snapshot_.replicas.push_back({lend.expert, lend.to});
  }
  std::sort(snapshot_.replicas.begin(), snapshot_.replicas.end());
  if (snapshot_.history.size() == kHistoryLength) {
    snapshot_.history.erase(snapshot_.history.begin());
  }
  snapshot_.history.push_back({iteration, loads.tokens_of_expert()});
}

std::vector<ReplayedLayer::Share> ReplayedLayer::Shares() const {
  std::vector<int64_t> left = snapshot_.history.back().tokens_of_expert;
  std::vector<Share> shares;
  for (const Lend& lend : lends_) {
    left[lend.expert.index()] -= lend.tokens;
    if (lend.tokens > 0) shares.push_back({lend.expert, lend.to, lend.tokens});
  }
  for (size_t e = 0; e < left.size(); ++e) {
    if (left[e] == 0) continue;
    shares.push_back({ExpertId(static_cast<int32_t>(e)),
                      snapshot_.home_of_expert[e], left[e]});
  }
  std::sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) {
    return std::pair(a.expert, a.worker) < std::pair(b.expert, b.worker);
  });
  return shares;
}

}  // namespace balancemoe
