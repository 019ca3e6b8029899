#ifndef BALANCEMOE_COMMON_PLANNING_AHEAD_PAST_H_
#define BALANCEMOE_COMMON_PLANNING_AHEAD_PAST_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"
#include "common/planning/policy.h"

namespace balancemoe {

// What planning one layer ahead goes by: the last loads, and what the last plan
// put in place. A value.
class AheadPast {
 public:
  // The iteration has ended; numbers rise. `tokens_of_expert` is [E].
  void Remember(Iteration iteration,
                absl::Span<const int64_t> tokens_of_expert);

  // Whether nothing is remembered yet.
  bool empty() const { return history_.empty(); }

  // Decides for the iteration after the last one remembered, of which there is
  // one. Of `snapshot`,
  // homes, slots, nodes and cost count.
  LayerPlan Decide(const Policy& policy, LayerSnapshot snapshot);

 private:
  std::vector<PastLoads> history_;
  std::vector<Replica> replicas_;
  double planned_ratio_ = 0;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_AHEAD_PAST_H_
