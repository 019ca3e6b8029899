#ifndef BALANCEMOE_COMMON_PLANNING_JOB_PLACEMENT_H_
#define BALANCEMOE_COMMON_PLANNING_JOB_PLACEMENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/plan.h"

namespace balancemoe {

// The homes of one layer that change at the end of a step.
struct LayerMoves {
  LayerId layer;
  std::vector<Move> moves;

  bool operator==(const LayerMoves&) const = default;
};

// Where the experts of a job live. A value.
struct JobPlacement {
  // How often homes have changed since the job began: workers with the same
  // version have the same homes.
  uint64_t version = 0;
  // [layers][E]
  std::vector<std::vector<WorkerRank>> home_of_expert;

  bool operator==(const JobPlacement&) const = default;
};

// That of a job which begins: version 0, ContiguousPlacement in every layer.
JobPlacement FirstPlacement(int32_t layers, int32_t num_workers,
                            int32_t num_experts);

// Errors: InvalidArgument, naming the layer or expert: another number of
// layers or experts, or a home outside the group.
absl::Status ValidatePlacement(const JobPlacement& placement, int32_t layers,
                               int32_t num_workers, int32_t num_experts);

// Makes all of `moves`, which must fit the placement, and counts them as one
// change.
void ApplyMoves(absl::Span<const LayerMoves> moves, JobPlacement& placement);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_JOB_PLACEMENT_H_
