#ifndef BALANCEMOE_COMMON_PLANNING_TOP_UP_H_
#define BALANCEMOE_COMMON_PLANNING_TOP_UP_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// What every worker of a hybrid job derives alike from the exact counts.
struct TopUpResult {
  // With exact tokens, in the order of travel: planned ones first, all of them.
  std::vector<Lend> lends;
  size_t planned = 0;
  // False when a first look showed that nothing more pays.
  bool searched = false;
};

// Adds lends to the planned replicas while the layer's predicted time falls.
// Doing nothing is always a candidate. A replica that the split of these counts
// does not use gives its slot back. `planned` is rising; `slots` [W] counts it.
TopUpResult TopUp(const LayerLoads& loads, const CostModel& cost,
                  absl::Span<const int32_t> slots,
                  absl::Span<const Replica> planned);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_TOP_UP_H_
