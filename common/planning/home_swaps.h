#ifndef BALANCEMOE_COMMON_PLANNING_HOME_SWAPS_H_
#define BALANCEMOE_COMMON_PLANNING_HOME_SWAPS_H_

#include <vector>

#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Proposes experts of different nodes that change places, so that the experts
// of each node have about as many tokens as those of any other: what is
// balanced between nodes by their homes need not cross the slow links in every
// iteration. At most `most_swaps`, each of two moves, which leave every worker
// with as many experts as before; none when nodes are balanced as they are.
std::vector<Move> BalanceNodes(const LayerLoads& loads, int most_swaps);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_HOME_SWAPS_H_
