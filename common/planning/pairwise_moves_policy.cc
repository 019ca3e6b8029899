#include "common/planning/pairwise_moves_policy.h"

#include "absl/strings/str_cat.h"
#include "common/planning/layer_loads.h"
#include "common/planning/pair_plan.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {

LayerPlan PairwiseMovesPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  const PairPlan pairs = PlanPairs(snapshot, loads, PairTransfer::kMove);
  LayerPlan plan;
  plan.moves = MovesOf(pairs.transfers);
  ForecastPlan(
      snapshot, loads, TransferStart::kWithLayer,
      {"moves", "no move within pairs of workers makes the layer faster"},
      plan);
  absl::StrAppend(&plan.reason, pairs.remark);
  return plan;
}

}  // namespace balancemoe
