#include "common/planning/static_policy.h"

#include "absl/strings/str_format.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"

namespace balancemoe {

LayerPlan StaticPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  const BusiestWorker busiest = FindBusiest(loads.workers());
  LayerPlan plan;
  plan.predicted_before_us = TimeLayer(loads, snapshot.cost, {}).layer_us();
  plan.predicted_after_us = plan.predicted_before_us;
  plan.reason = absl::StrFormat(
      "no lends: the policy makes none; worker %d is %.2f times the mean; "
      "predicted %.3f ms",
      busiest.rank.value(), busiest.times_mean,
      plan.predicted_before_us / 1000);
  return plan;
}

}  // namespace balancemoe
