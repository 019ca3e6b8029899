#ifndef BALANCEMOE_COMMON_PLANNING_PAIR_PLAN_H_
#define BALANCEMOE_COMMON_PLANNING_PAIR_PLAN_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/pair_search.h"
#include "common/planning/plan.h"

namespace balancemoe {

struct WorkerPair {
  WorkerRank heavy;
  WorkerRank light;
};

// The heaviest with the lightest worker, the second heaviest with the second
// lightest, and so on; of an odd number the middle one stays out.
std::vector<WorkerPair> PairWorkers(const LayerLoads& loads);

// The best transfers of a layer within pairs of workers.
struct PairPlan {
  // Of whole experts, the heaviest pair's first.
  std::vector<Lend> transfers;
  // What to add to the reason: pairs that were searched in part.
  std::string remark;
};

// The transfers, as lasting ones.
std::vector<Move> MovesOf(absl::Span<const Lend> transfers);

// Searches every pair, and takes back what would slow the layer down.
PairPlan PlanPairs(const LayerSnapshot& snapshot, const LayerLoads& loads,
                   PairTransfer kind);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PAIR_PLAN_H_
