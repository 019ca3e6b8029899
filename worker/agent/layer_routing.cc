#include "worker/agent/layer_routing.h"

#include <cstddef>
#include <string>
#include <utility>

#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"
#include "common/planning/lend_quotas.h"
#include "common/planning/moves_as_lends.h"
#include "common/planning/policy.h"
#include "common/planning/quota_split.h"
#include "common/planning/top_up.h"

namespace balancemoe::worker {
namespace {

bool TopsUp(const std::string& policy) {
  const auto choice = ParsePolicyChoice(policy);
  return choice.ok() && choice->tops_up();
}

}  // namespace

LayerRouting RouteLayer(LoadMatrix tokens,
                        std::vector<WorkerRank> home_of_expert,
                        const LayerPlan& plan, const CostModel& cost,
                        const GroupFacts& group) {
  LayerRouting routing;
  routing.rule = {.cost = cost,
                  .fan_out = plan.fan_out,
                  .node_of_worker = group.node_of_worker};
  routing.tokens = std::move(tokens);
  routing.home_of_expert = std::move(home_of_expert);
  routing.moves = plan.moves;
  const LayerLoads loads(routing.tokens, routing.home_of_expert,
                         group.node_of_worker);
  QuotaSplitter splitter;
  if (plan.moves.empty()) {
    routing.lends = ResolveQuotas(plan, loads, splitter);
    std::erase_if(routing.lends,
                  [](const Lend& lend) { return lend.tokens == 0; });
  } else {
    const LayerLoads loads_after(routing.tokens,
                                 HomesAfter(routing.home_of_expert, plan.moves),
                                 group.node_of_worker);
    routing.lends = MovesAsLends(
        plan.moves, ResolveQuotas(plan, loads_after, splitter), routing.tokens);
  }
  routing.split = TokenSplit(loads, routing.lends);
  return routing;
}

LayerRouting RouteLayerAhead(LoadMatrix tokens,
                             std::vector<WorkerRank> home_of_expert,
                             const StepPlan& plan, LayerId layer,
                             const GroupFacts& group) {
  LayerRouting routing;
  routing.tokens = std::move(tokens);
  routing.home_of_expert = std::move(home_of_expert);
  routing.plan = plan.id;
  const LayerPlan& decision = plan.layers[layer.index()];
  routing.rule = {.cost = plan.cost,
                  .fan_out = decision.fan_out,
                  .node_of_worker = group.node_of_worker};
  const CostModel cost = OfLayer(plan.cost, layer);
  const LayerLoads loads(routing.tokens, routing.home_of_expert,
                         group.node_of_worker);
  size_t early = decision.lends.size();
  if (TopsUp(plan.policy)) {
    TopUpResult topped_up =
        TopUp(loads, cost, group.spare_slots, ReplicasOf(decision));
    routing.lends = std::move(topped_up.lends);
    early = topped_up.planned;
  } else {
    QuotaSplitter splitter;
    routing.lends = ResolveQuotas(decision, loads, splitter);
  }
  LayerForecaster forecaster(cost);
  routing.predicted_us = forecaster
                             .Time(loads, {.lends = routing.lends,
                                           .early_lends = early,
                                           .fan_out = decision.fan_out})
                             .layer_us();
  std::erase_if(routing.lends,
                [](const Lend& lend) { return lend.tokens == 0; });
  routing.split = TokenSplit(loads, routing.lends);
  return routing;
}

}  // namespace balancemoe::worker
