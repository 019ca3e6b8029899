#ifndef BALANCEMOE_COMMON_PLANNING_LOWER_BOUND_H_
#define BALANCEMOE_COMMON_PLANNING_LOWER_BOUND_H_

#include "common/planning/cost_model.h"
#include "common/planning/layer_loads.h"

namespace balancemoe {

// What no plan can beat: forward and backward compute of all tokens and one
// launch of each expert that has some, spread evenly over the workers. No
// exchange, no transfer.
double LowerBoundUs(const LayerLoads& loads, const CostModel& cost);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LOWER_BOUND_H_
