#ifndef BALANCEMOE_COMMON_PLANNING_OVERLAP_KNAPSACK_H_
#define BALANCEMOE_COMMON_PLANNING_OVERLAP_KNAPSACK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace balancemoe {

// An expert that the lighter worker of a pair may compute.
struct KnapsackItem {
  int64_t tokens = 0;
  double compute_us = 0;
  // What getting it costs; 0: it is there already.
  double transfer_us = 0;
};

// At most so many experts fit, however few their tokens.
inline constexpr size_t kKnapsackItems = 32;

// The knapsack of `pairwise-dp` (pairwise_dp_policy.h), faults included: the
// items to take, one flag per item, so that their tokens fit into `capacity`
// and their compute, less the transfers that it does not hide, is large.
//
// A table over whole tokens would take milliseconds, so loads over some
// thousand tokens are counted in coarser units.
std::vector<bool> ChooseItems(absl::Span<const KnapsackItem> items,
                              int64_t capacity);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_OVERLAP_KNAPSACK_H_
