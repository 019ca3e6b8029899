#ifndef BALANCEMOE_COMMON_PLANNING_LEND_QUOTAS_H_
#define BALANCEMOE_COMMON_PLANNING_LEND_QUOTAS_H_

#include <vector>

#include "absl/status/status.h"
#include "common/planning/layer_loads.h"
#include "common/planning/load_matrix.h"
#include "common/planning/plan.h"
#include "common/planning/quota_split.h"

namespace balancemoe {

// The plan's lends with the tokens that each borrower computes of these loads,
// by the plan's split rule. Equal input gives equal quotas on every worker.
// Homes of `loads` are those after the plan's moves.
std::vector<Lend> ResolveQuotas(const LayerPlan& plan, const LayerLoads& loads,
                                QuotaSplitter& splitter);

// Checks a plan that was made from exactly these loads, and that is valid in
// every other way: such a plan lends no more than there is.
//
// Errors: InvalidArgument, naming the lend with which an expert's exact quotas
// exceed its tokens. Other split rules fit any loads.
absl::Status ValidateQuotas(const LayerPlan& plan, const LoadMatrix& loads);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LEND_QUOTAS_H_
