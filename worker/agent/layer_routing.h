#ifndef BALANCEMOE_WORKER_AGENT_LAYER_ROUTING_H_
#define BALANCEMOE_WORKER_AGENT_LAYER_ROUTING_H_

#include <vector>

#include "common/ids.h"
#include "common/planning/load_matrix.h"
#include "common/planning/plan.h"
#include "common/planning/token_split.h"

namespace balancemoe::worker {

// What all workers know of one layer in one iteration. A value.
struct LayerRouting {
  // [W, E]: what every worker routed to every expert.
  LoadMatrix tokens;
  // [E], in this iteration.
  std::vector<WorkerRank> home_of_expert;
  // The homes that change when the step has ended. In this iteration they are
  // among the lends.
  std::vector<Move> moves;
  // The transfers that all workers agreed on, in the order in which they
  // travel, each with the exact number of tokens that the borrower computes, at
  // least one; home computes the rest. Empty when there is no plan.
  std::vector<Lend> lends;
  // Which worker computes which of `tokens`, with these lends.
  TokenSplit split;
  // Of the plan in use; 0: none.
  PlanId plan;
  // The coordinator's forecast for it; 0 without a plan.
  double predicted_us = 0;
};

// What `plan` makes of these counts: equal input gives equal routings on every
// worker. Lends without tokens would move bytes for nothing and are left out.
// `plan` must be valid; the default transfers nothing.
LayerRouting RouteLayer(LoadMatrix tokens,
                        std::vector<WorkerRank> home_of_expert,
                        const LayerPlan& plan = {});

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_LAYER_ROUTING_H_
