#ifndef BALANCEMOE_COMMON_PLANNING_PLANNING_COST_H_
#define BALANCEMOE_COMMON_PLANNING_PLANNING_COST_H_

#include <cstdint>

#include "common/planning/policy.h"

namespace balancemoe {

// What planning costs a layer on its critical path, us: of inline plans by the
// coordinator `plan_latency_us`; of plans that every worker makes, the top-up
// among them, a constant for a first look and, when it `searched`, one that
// grows with the layer. Constants, so that replays and paced runs are
// reproducible; measured times stand beside them.
double PlanningUs(const PolicyChoice& choice, int32_t num_workers,
                  int32_t num_experts, bool searched, double plan_latency_us);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PLANNING_COST_H_
