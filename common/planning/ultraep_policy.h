#ifndef BALANCEMOE_COMMON_PLANNING_ULTRAEP_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_ULTRAEP_POLICY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// The quota planner of UltraEP (github.com/Dots-Infra/UltraEP, MIT): from the
// exact counts, workers over a threshold export tokens of their largest experts
// to the worker that is farthest below it, within its slots; the threshold is
// the lowest, from just over the mean on, under which all excess finds a place.
class UltraEpPolicy final : public Policy {
 public:
  // The lowest threshold, in times the mean.
  static constexpr double kTolerated = 1.01;
  // The least that is exported of an expert to a worker. The published default
  // is 1,024; without it the planner balances better.
  static constexpr int64_t kLeastQuota = 1;
  // Most experts that a worker borrows, whatever slots it has.
  static constexpr int32_t kSlots = 2;

  absl::string_view name() const override { return "ultraep"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_ULTRAEP_POLICY_H_
