#ifndef BALANCEMOE_COMMON_PLANNING_PLAN_FORECAST_H_
#define BALANCEMOE_COMMON_PLANNING_PLAN_FORECAST_H_

#include "absl/strings/string_view.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// When a plan's transfers may start.
enum class TransferStart {
  // Planned inline.
  kWithLayer,
  // Planned ahead: one forward time of the layer earlier.
  kEarly,
};

// What operators are told about a policy that decided to do nothing: "no lends:
// worker 0 is 1.20 times the mean, but no worker has a slot".
struct NothingPlanned {
  // "lends" or "moves"
  absl::string_view transfers;
  // The clause after "but".
  absl::string_view why;
};

// Fills in what the plan says of itself: its forecast under `loads`, which it
// was made for and whose homes are those of `snapshot`, and its reason.
void ForecastPlan(const LayerSnapshot& snapshot, const LayerLoads& loads,
                  TransferStart start, const NothingPlanned& nothing,
                  LayerPlan& plan);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PLAN_FORECAST_H_
