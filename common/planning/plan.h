#ifndef BALANCEMOE_COMMON_PLANNING_PLAN_H_
#define BALANCEMOE_COMMON_PLANNING_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"

namespace balancemoe {

// A transfer for one iteration: `to` computes all of the expert's tokens and
// returns the gradient; home and optimizer state stay at `from`.
struct Lend {
  ExpertId expert;
  WorkerRank from;
  WorkerRank to;

  auto operator<=>(const Lend&) const = default;
};

// What a policy decides for one layer.
struct LayerPlan {
  // In the order in which they travel; an expert is lent at most once.
  std::vector<Lend> lends;
  // Forecast of the layer's time, forward and backward, without and with lends.
  double predicted_before_us = 0;
  double predicted_after_us = 0;
  // Why these lends, or why none; for operators.
  std::string reason;

  bool operator==(const LayerPlan&) const = default;
};

// A plan as it travels: a LayerPlan with its place in the job.
struct Plan {
  PlanId id;
  JobEpoch epoch;
  Generation generation;
  Iteration iteration;
  LayerId layer;
  // "policy@mode" that made it.
  std::string policy;
  LayerPlan decision;

  bool operator==(const Plan&) const = default;
};

// Checks lends against the placement, so that no wrong plan is ever carried
// out.
//
// Errors: InvalidArgument, naming the lend: an expert or worker out of range, a
// `from` that is not the home, a lend to oneself, an expert lent twice, or more
// lends to a worker than its `spare_slots`.
absl::Status ValidateLends(absl::Span<const Lend> lends,
                           absl::Span<const WorkerRank> home_of_expert,
                           absl::Span<const int32_t> spare_slots);

// Where each expert is computed under `lends`, [E].
std::vector<WorkerRank> ComputingWorkers(
    absl::Span<const WorkerRank> home_of_expert, absl::Span<const Lend> lends);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PLAN_H_
