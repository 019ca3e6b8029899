#ifndef BALANCEMOE_COMMON_PLANNING_SMARTMOE_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_SMARTMOE_POLICY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// Expert placement of SmartMoE (ATC '23; github.com/zms1999/SmartMoE): every
// kPeriod iterations, from the mean counts of the last iterations of the period
// before, each expert goes to the least loaded worker that has not its full
// number yet, those with the most tokens first. The placement is taken when the
// busiest worker would have had less to do; what moving costs is not asked.
//
// The published code moves parameters alone, which is wrong under Adam: these
// are moves, which take the optimizer state along.
class SmartMoePolicy final : public Policy {
 public:
  static constexpr int64_t kPeriod = 10;

  absl::string_view name() const override { return "smartmoe"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_SMARTMOE_POLICY_H_
