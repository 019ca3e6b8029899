#include "worker/agent/step_plan_in_force.h"

namespace balancemoe::worker {

void StepPlanInForce::BeginIteration(Iteration next) {
  if (plan_.has_value() && next.value() > plan_->first.value() + kLongest) {
    Drop();
  }
}

std::vector<LayerMoves> StepPlanInForce::PendingMoves() const {
  if (!plan_.has_value() || plan_->placement_version != placement_.version) {
    return {};
  }
  return MovesOf(*plan_);
}

const StepPlan* StepPlanInForce::usable() const {
  return plan_.has_value() && FitsPlacement(*plan_, placement_) ? &*plan_
                                                                : nullptr;
}

RoutedLends StepPlanInForce::PlannedLends(LayerId layer,
                                          const GroupFacts& group) const {
  const StepPlan* const plan = usable();
  if (plan == nullptr) return {};
  const LayerPlan& decision = plan->layers[layer.index()];
  return {.lends = decision.lends,
          .rule = {.cost = plan->cost,
                   .fan_out = decision.fan_out,
                   .node_of_worker = group.node_of_worker}};
}

}  // namespace balancemoe::worker
