#ifndef BALANCEMOE_WORKER_MOE_CAPACITY_H_
#define BALANCEMOE_WORKER_MOE_CAPACITY_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace balancemoe::worker {

// In place of an expert's id: the choice was dropped.
inline constexpr int64_t kDropped = -1;

// How many tokens of one worker an expert takes: `factor` times what it would
// get if all `choices` were spread evenly over `num_experts`, rounded up, at
// least one (GShard, arXiv:2006.16668, section 2.2, for each worker's tokens).
int64_t ExpertCapacity(double factor, int64_t choices, int64_t num_experts);

// Replaces by kDropped what is over `capacity` in `expert_of_choice`, [T * K],
// and takes it out of `counts`, [E]. All tokens' first choices come before all
// second ones, and tokens in their order. Returns how many were dropped.
int64_t DropOverCapacity(int64_t capacity, int64_t top_k,
                         absl::Span<int64_t> expert_of_choice,
                         std::vector<int64_t>& counts);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_CAPACITY_H_
