#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_SNAPSHOT_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_SNAPSHOT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/load_matrix.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Loads of an iteration that has ended.
struct PastLoads {
  Iteration iteration;
  // [E], of all sources together.
  std::vector<int64_t> tokens_of_expert;

  bool operator==(const PastLoads&) const = default;
};

// How many iterations of history policies look at.
inline constexpr size_t kHistoryLength = 2;

// All that a policy sees of one MoE layer. A value: policies keep no state.
struct LayerSnapshot {
  // The iteration to plan for.
  Iteration iteration;
  // [W, E], exact counts; policies that plan ahead do not look at them, and it
  // may then be empty.
  LoadMatrix tokens;
  // Oldest first; what policies that plan ahead go by. The last
  // kHistoryLength are enough.
  std::vector<PastLoads> history;
  // [E]
  std::vector<WorkerRank> home_of_expert;
  // In place since the iteration before, rising.
  std::vector<Replica> replicas;
  // [W]: experts that each worker can borrow at a time.
  std::vector<int32_t> spare_slots;
  // [W]: bytes that each worker has for borrowed experts, of which every one
  // needs parameters and a gradient buffer; empty: only slots count.
  std::vector<int64_t> spare_bytes;
  // [W]: node of each worker, from 0 on; empty: all on one.
  std::vector<int32_t> node_of_worker;
  CostModel cost;

  int32_t num_workers() const {
    return static_cast<int32_t>(spare_slots.size());
  }
  int32_t num_experts() const {
    return static_cast<int32_t>(home_of_expert.size());
  }
};

// More tokens of one worker for one expert are no load but an error; sums over
// 1,024 workers and experts stay far from overflow.
inline constexpr int64_t kMostTokens = int64_t{1} << 40;

// FastMoE's placement: equal runs of neighbouring experts, expert e on worker
// floor(e * W / E); e // (E / W) where W divides E. [E]
std::vector<WorkerRank> ContiguousPlacement(int32_t num_workers,
                                            int32_t num_experts);

// Experts that each worker can borrow at a time by slots and bytes, [W].
std::vector<int32_t> UsableSlots(const LayerSnapshot& snapshot);

// Errors: InvalidArgument, naming what does not fit: sizes, a home, replica or
// node outside the group, a replica at home or twice, a negative load, slot or
// byte count, more than kMostTokens, or a cost model that is not valid.
absl::Status ValidateSnapshot(const LayerSnapshot& snapshot);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_SNAPSHOT_H_
