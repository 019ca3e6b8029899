#include "worker/agent/layer_routing.h"

#include <utility>

#include "common/planning/layer_loads.h"
#include "common/planning/lend_quotas.h"
#include "common/planning/moves_as_lends.h"
#include "common/planning/quota_split.h"

namespace balancemoe::worker {

LayerRouting RouteLayer(LoadMatrix tokens,
                        std::vector<WorkerRank> home_of_expert,
                        const LayerPlan& plan) {
  LayerRouting routing;
  routing.tokens = std::move(tokens);
  routing.home_of_expert = std::move(home_of_expert);
  routing.moves = plan.moves;
  const LayerLoads loads(routing.tokens, routing.home_of_expert,
                         /*node_of_worker=*/{});
  QuotaSplitter splitter;
  if (plan.moves.empty()) {
    routing.lends = ResolveQuotas(plan, loads, splitter);
    std::erase_if(routing.lends,
                  [](const Lend& lend) { return lend.tokens == 0; });
  } else {
    const LayerLoads loads_after(routing.tokens,
                                 HomesAfter(routing.home_of_expert, plan.moves),
                                 /*node_of_worker=*/{});
    routing.lends = MovesAsLends(
        plan.moves, ResolveQuotas(plan, loads_after, splitter), routing.tokens);
  }
  routing.split = TokenSplit(loads, routing.lends);
  return routing;
}

}  // namespace balancemoe::worker
