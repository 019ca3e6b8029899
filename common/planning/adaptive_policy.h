#ifndef BALANCEMOE_COMMON_PLANNING_ADAPTIVE_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_ADAPTIVE_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/planning/layer_loads.h"
#include "common/planning/policy.h"

namespace balancemoe {

// This project's own policy: minimises the predicted time of the layer.
//
// Ahead and hybrid: replicas for the coming iteration from recent loads, kept
// as long as they serve, and experts that change places between nodes when that
// pays within some ten iterations. Inline: lends from the exact counts. On a
// balanced load it plans nothing. docs/planning.md has the procedure.
class AdaptivePolicy final : public Policy {
 public:
  AdaptivePolicy(const PolicyChoice& choice, const PolicyOptions& options)
      : inline_(choice.mode == "inline"),
        ahead_(choice.mode == "ahead"),
        options_(options) {}

  absl::string_view name() const override { return "adaptive"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;

 private:
  LayerPlan DecideInline(const LayerSnapshot& snapshot) const;
  void PlanFewestCopies(const LayerSnapshot& snapshot, const LayerLoads& loads,
                        LayerPlan& plan) const;
  void PlanFewestReplicas(const LayerSnapshot& snapshot,
                          const LayerLoads& loads, LayerPlan& plan) const;
  LayerPlan DecideAhead(const LayerSnapshot& snapshot) const;

  const bool inline_;
  const bool ahead_;
  const PolicyOptions options_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_ADAPTIVE_POLICY_H_
