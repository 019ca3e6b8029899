#ifndef BALANCEMOE_COMMON_PLANNING_PAIRWISE_MOVES_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_PAIRWISE_MOVES_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// What `pairwise` finds, as lasting moves: the experts that end a pair's layer
// soonest on the other side change their home, and their optimizer state goes
// with them. Of BalanceMoE's released code (`pairwise-dp`) it has the placement
// that persists, without the knapsack.
//
// A worker takes in at most as many experts at a time as it has spare slots.
class PairwiseMovesPolicy final : public Policy {
 public:
  absl::string_view name() const override { return "pairwise-moves"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PAIRWISE_MOVES_POLICY_H_
