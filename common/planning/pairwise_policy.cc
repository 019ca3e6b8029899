#include "common/planning/pairwise_policy.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/planning/layer_loads.h"
#include "common/planning/pair_plan.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {

LayerPlan PairwisePolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  PairPlan pairs = PlanPairs(snapshot, loads, PairTransfer::kLend);
  LayerPlan plan;
  plan.lends = std::move(pairs.transfers);
  ForecastPlan(
      snapshot, loads, TransferStart::kWithLayer,
      {"lends", "no lend within pairs of workers makes the layer faster"},
      plan);
  absl::StrAppend(&plan.reason, pairs.remark);
  return plan;
}

}  // namespace balancemoe
