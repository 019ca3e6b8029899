#include "common/planning/ahead_past.h"

#include <utility>

namespace balancemoe {

void AheadPast::Remember(Iteration iteration,
                         absl::Span<const int64_t> tokens_of_expert) {
  if (history_.size() == kHistoryLength) history_.erase(history_.begin());
  history_.push_back(
      {iteration, {tokens_of_expert.begin(), tokens_of_expert.end()}});
}

LayerPlan AheadPast::Decide(const Policy& policy, LayerSnapshot snapshot) {
  // The last plan's moves may not have been made.
  std::erase_if(replicas_, [&](const Replica& replica) {
    return snapshot.home_of_expert[replica.expert.index()] == replica.worker;
  });
  snapshot.iteration = Iteration(history_.back().iteration.value() + 1);
  snapshot.tokens = {};
  snapshot.history = history_;
  snapshot.replicas = replicas_;
  snapshot.planned_ratio = planned_ratio_;
  LayerPlan plan = policy.Decide(snapshot);
  replicas_ = ReplicasOf(plan);
  planned_ratio_ = plan.planned_ratio;
  return plan;
}

}  // namespace balancemoe
