#ifndef BALANCEMOE_WORKER_AGENT_STEP_PLAN_IN_FORCE_H_
#define BALANCEMOE_WORKER_AGENT_STEP_PLAN_IN_FORCE_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/job_placement.h"
#include "common/planning/plan.h"
#include "common/planning/step_plan.h"
#include "worker/agent/layer_routing.h"

namespace balancemoe::worker {

// The plan made ahead that a worker goes by, and where its experts live. All
// workers make the same calls with the same values. A value without clock, lock
// or transport.
//
//   none --Adopt--> in force --Adopt--> the next one in force
//   in force --too old, Drop--> none
//
// Without word from the coordinator a plan stays in force for a while: the
// replicas that it put in place serve on.
class StepPlanInForce {
 public:
  // Iterations beyond its first that a plan is good for.
  static constexpr int64_t kLongest = 100;

  explicit StepPlanInForce(JobPlacement placement)
      : placement_(std::move(placement)) {}

  // `plan` must be valid for the placement.
  void Adopt(StepPlan plan) { plan_ = std::move(plan); }
  void Drop() { plan_.reset(); }
  // Drops what is too old for `next`.
  void BeginIteration(Iteration next);

  // What must be moved before the plan can be used.
  std::vector<LayerMoves> PendingMoves() const;
  void CommitMoves(absl::Span<const LayerMoves> moves) {
    ApplyMoves(moves, placement_);
  }

  // The plan, once its moves are made; null without one.
  const StepPlan* usable() const;

  // As Agent::PlannedLends.
  RoutedLends PlannedLends(LayerId layer, const GroupFacts& group = {}) const;

  const JobPlacement& placement() const { return placement_; }
  const std::vector<WorkerRank>& homes(LayerId layer) const {
    return placement_.home_of_expert[layer.index()];
  }

 private:
  JobPlacement placement_;
  std::optional<StepPlan> plan_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_STEP_PLAN_IN_FORCE_H_
