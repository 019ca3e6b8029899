#ifndef BALANCEMOE_COMMON_PLANNING_STATIC_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_STATIC_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// Every expert is computed at home, for ever, as in FastMoE
// (github.com/laekov/fastmoe, fmoe/functions.py): what the others are measured
// against.
class StaticPolicy final : public Policy {
 public:
  absl::string_view name() const override { return "static"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_STATIC_POLICY_H_
