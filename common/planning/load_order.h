#ifndef BALANCEMOE_COMMON_PLANNING_LOAD_ORDER_H_
#define BALANCEMOE_COMMON_PLANNING_LOAD_ORDER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Most tokens first; the lowest id among equals. [E]
std::vector<ExpertId> ExpertsByLoad(absl::Span<const int64_t> tokens_of_expert);

// Most tokens to compute first; the lowest rank among equals. [W]
std::vector<WorkerRank> WorkersByLoad(absl::Span<const WorkerTokens> workers);

// Lends in the order in which a system that goes through its experts issues
// them: by expert, then borrower.
void SortByExpert(std::vector<Lend>& lends);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LOAD_ORDER_H_
