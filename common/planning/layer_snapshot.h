#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_SNAPSHOT_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_SNAPSHOT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/load_matrix.h"

namespace balancemoe {

// All that a policy sees of one MoE layer. A value: policies keep no state.
struct LayerSnapshot {
  // [W, E]. The worker count and expert count are those of this matrix.
  LoadMatrix tokens;
  // [E]
  std::vector<WorkerRank> home_of_expert;
  // [W]: experts that each worker can borrow at a time.
  std::vector<int32_t> spare_slots;
  CostModel cost;
};

// More tokens of one worker for one expert are no load but an error; sums over
// 1,024 workers and experts stay far from overflow.
inline constexpr int64_t kMostTokens = int64_t{1} << 40;

// FastMoE's placement: equal runs of neighbouring experts, expert e on worker
// floor(e * W / E); e // (E / W) where W divides E. [E]
std::vector<WorkerRank> ContiguousPlacement(int32_t num_workers,
                                            int32_t num_experts);

// Errors: InvalidArgument, naming what does not fit: sizes, a home outside the
// group, a negative load or slot count, more than kMostTokens, or a cost model
// that is not valid.
absl::Status ValidateSnapshot(const LayerSnapshot& snapshot);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_SNAPSHOT_H_
