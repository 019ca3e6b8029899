#ifndef BALANCEMOE_COMMON_PLANNING_STEP_PLAN_H_
#define BALANCEMOE_COMMON_PLANNING_STEP_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/job_placement.h"
#include "common/planning/plan.h"

namespace balancemoe {

// What all layers do from an iteration on, planned before its counts are known:
// moves at the end of the step before, and replicas that are kept until a later
// plan takes the place of this one. The exact counts decide who computes what.
struct StepPlan {
  PlanId id;
  JobEpoch epoch;
  Generation generation;
  // The iteration that it was made for.
  Iteration first;
  // JobPlacement::version of the homes that it was made for.
  uint64_t placement_version = 0;
  // "policy@mode" that made it.
  std::string policy;
  // By which every worker decides on top-ups and routes.
  CostModel cost;
  // [layers]
  std::vector<LayerPlan> layers;

  bool has_moves() const;

  bool operator==(const StepPlan&) const = default;
};

// Checks a plan against the homes that it was made for.
//
// Errors: InvalidArgument, naming the layer and what is wrong with it, as
// ValidatePlan does, or the cost model.
absl::Status ValidateStepPlan(const StepPlan& plan,
                              const JobPlacement& placement,
                              absl::Span<const int32_t> spare_slots);

// The plan's moves by layer; layers without any are left out.
std::vector<LayerMoves> MovesOf(const StepPlan& plan);

// Whether the plan's lends fit `placement`: its moves, if it has any, are made.
bool FitsPlacement(const StepPlan& plan, const JobPlacement& placement);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_STEP_PLAN_H_
