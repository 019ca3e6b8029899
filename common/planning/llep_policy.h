#ifndef BALANCEMOE_COMMON_PLANNING_LLEP_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_LLEP_POLICY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// "Least-Loaded Expert Parallelism" (2026): from the exact counts, home keeps
// of each expert what fits under the mean load, and the rest spills over to the
// least loaded workers in chunks.
class LlepPolicy final : public Policy {
 public:
  // A busiest worker with less than so many times the mean is left alone.
  static constexpr double kTolerated = 1.3;
  // A smaller chunk is not sent, unless nothing of the expert is left then.
  static constexpr int64_t kLeastChunk = 1024;

  absl::string_view name() const override { return "llep"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LLEP_POLICY_H_
