#ifndef BALANCEMOE_COMMON_PLANNING_EPLB_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_EPLB_POLICY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/planning/policy.h"

namespace balancemoe {

// DeepSeek's EPLB (github.com/deepseek-ai/EPLB, MIT), its global form: from the
// loads of the last iteration, the experts with the most tokens per replica get
// replicas until there are kSparePerWorker more than experts for each worker;
// then replicas go to the least loaded worker with a place left, the heaviest
// first. Tokens are divided evenly over replicas. What moving costs is not
// asked.
//
// EPLB has no homes. Here home stays where it is, and computes nothing when no
// replica was packed onto it; a copy is a replica whose gradient goes home. So
// a worker needs a spare slot for each replica of an expert that lives
// elsewhere, not just for its additional one. The hierarchical form is for
// experts in groups that a token's experts are drawn from; layers here know
// none.
class EplbPolicy final : public Policy {
 public:
  static constexpr int64_t kSparePerWorker = 1;

  absl::string_view name() const override { return "eplb"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_EPLB_POLICY_H_
