#ifndef BALANCEMOE_COMMON_PLANNING_HOME_SWAPS_H_
#define BALANCEMOE_COMMON_PLANNING_HOME_SWAPS_H_

#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Proposals of experts that change places: a swap is two moves and leaves every
// worker with as many experts as before. At most `most_swaps`; none where homes
// are level enough as they are.

// So that the experts of each node have about as many tokens as those of any
// other: what is level by homes need not cross the slow links in every
// iteration.
std::vector<Move> BalanceNodes(const LayerLoads& loads, int most_swaps);

// So that each worker's experts without replicas have about as many tokens:
// what comes in for them is what the exchange waits for once the hot experts
// are computed where their tokens are. `replicas` is rising.
std::vector<Move> BalanceArrivals(const LayerLoads& loads,
                                  absl::Span<const Replica> replicas,
                                  int most_swaps);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_HOME_SWAPS_H_
