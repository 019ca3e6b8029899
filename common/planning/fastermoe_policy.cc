#include "common/planning/fastermoe_policy.h"

#include <cstddef>
#include <vector>

#include "common/planning/expert_shadowing.h"
#include "common/planning/layer_loads.h"
#include "common/planning/load_order.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {

LayerPlan FasterMoePolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<ExpertId> experts = ExpertsByLoad(loads.tokens_of_expert());
  ExpertShadowing shadowing(snapshot, loads);
  LayerPlan plan;
  // The rule is a single pass over sorted counts: it costs what a first look
  // costs, whatever it finds.
  plan.searched = false;
  double best_us = shadowing.TokensUs(loads.TokensOfExpert(experts.front()));
  double broadcasts_us = 0;
  for (size_t i = 0; i + 1 < experts.size(); ++i) {
    broadcasts_us += shadowing.ParametersUs();
    const double next_us =
        shadowing.TokensUs(loads.TokensOfExpert(experts[i + 1])) +
        broadcasts_us;
    if (next_us >= best_us || !shadowing.HasSlots(loads.home(experts[i]), 1)) {
      break;
    }
    best_us = next_us;
    shadowing.Shadow(experts[i], plan);
  }
  SortByExpert(plan.lends);
  ForecastPlan(snapshot, loads, TransferStart::kWithLayer,
               {"lends", "no broadcast pays by the shadowing rule"}, plan);
  return plan;
}

}  // namespace balancemoe
