#ifndef BALANCEMOE_COMMON_PLANNING_FASTERMOE_PAPER_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_FASTERMOE_PAPER_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// Dynamic shadowing by the rule of the FasterMoE artefact
// (github.com/thu-pacman/FasterMoE, fmoe/transformer.py): shadows all experts
// of the most loaded workers, one worker after the other, as long as the time
// of the then busiest worker and all broadcasts, with gradients back, is less
// than before.
class FasterMoePaperPolicy final : public Policy {
 public:
  absl::string_view name() const override { return "fastermoe-paper"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_FASTERMOE_PAPER_POLICY_H_
