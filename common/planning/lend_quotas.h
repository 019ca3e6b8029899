#ifndef BALANCEMOE_COMMON_PLANNING_LEND_QUOTAS_H_
#define BALANCEMOE_COMMON_PLANNING_LEND_QUOTAS_H_

#include <vector>

#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"
#include "common/planning/quota_split.h"

namespace balancemoe {

// The plan's lends with the tokens that each borrower computes of these loads,
// by the plan's split rule. Equal input gives equal quotas on every worker.
// Homes of `loads` are those after the plan's moves.
std::vector<Lend> ResolveQuotas(const LayerPlan& plan, const LayerLoads& loads,
                                QuotaSplitter& splitter);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LEND_QUOTAS_H_
