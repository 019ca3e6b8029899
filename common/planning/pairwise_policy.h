#ifndef BALANCEMOE_COMMON_PLANNING_PAIRWISE_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_PAIRWISE_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// Worker-pair expert transfer, the idea of "BalanceMoE: An Efficient Dynamic
// Load Balance Framework to Accelerate Mixture-of-Expert Training" (IEEE TCC
// 2026), solved exactly: the lightest worker is paired with the heaviest, the
// second lightest with the second heaviest, and so on (of an odd number the
// middle one stays out), and each pair gets the set of whole experts to lend,
// in either direction, that ends its layer soonest with transfers overlapped by
// compute.
//
// A pair that would slow the layer down keeps its experts at home.
class PairwisePolicy final : public Policy {
 public:
  absl::string_view name() const override { return "pairwise"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PAIRWISE_POLICY_H_
