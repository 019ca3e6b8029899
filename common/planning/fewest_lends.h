#ifndef BALANCEMOE_COMMON_PLANNING_FEWEST_LENDS_H_
#define BALANCEMOE_COMMON_PLANNING_FEWEST_LENDS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Few lends that bring the busiest worker down to `target_imbalance` times the
// mean, or, where slots do not suffice, as far as exports bring it. With exact
// tokens.
std::vector<Lend> FewestLends(const LayerLoads& loads,
                              absl::Span<const int32_t> slots,
                              double target_imbalance);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_FEWEST_LENDS_H_
