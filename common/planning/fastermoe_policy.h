#ifndef BALANCEMOE_COMMON_PLANNING_FASTERMOE_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_FASTERMOE_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// Dynamic shadowing by the rule of the released FastMoE
// (github.com/laekov/fastmoe, fmoe/fastermoe/shadow_policy.py): shadows the
// experts with the most tokens, one after the other, as long as the time of the
// next largest expert and all broadcasts so far is less than before.
//
// It judges single experts, not the load of workers (fastmoe issue 204).
class FasterMoePolicy final : public Policy {
 public:
  absl::string_view name() const override { return "fastermoe"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_FASTERMOE_POLICY_H_
