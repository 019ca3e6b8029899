#ifndef BALANCEMOE_COMMON_PLANNING_PAIRWISE_DP_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_PAIRWISE_DP_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// Worker-pair expert transfer as released with BalanceMoE
// (github.com/ZJU-CNLAB/BalanceMoE, fmoe/functions.py: count_by_gate), for
// comparison: within each pair of workers a knapsack of half their tokens
// chooses the experts of the lighter one, and the others go to the heavier one,
// for good.
//
// Its faults are kept: the table's state does not determine the best rest of
// the way, and its traceback can return a worse placement than it was given.
// See pairwise_policy.h for the same idea solved exactly.
class PairwiseDpPolicy final : public Policy {
 public:
  absl::string_view name() const override { return "pairwise-dp"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PAIRWISE_DP_POLICY_H_
