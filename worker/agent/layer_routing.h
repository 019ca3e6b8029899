#ifndef BALANCEMOE_WORKER_AGENT_LAYER_ROUTING_H_
#define BALANCEMOE_WORKER_AGENT_LAYER_ROUTING_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/expert_route.h"
#include "common/planning/load_matrix.h"
#include "common/planning/plan.h"
#include "common/planning/step_plan.h"
#include "common/planning/token_split.h"

namespace balancemoe::worker {

// What all workers know of their group, [W] each. Empty nodes: all on one.
struct GroupFacts {
  std::vector<int32_t> spare_slots;
  std::vector<int32_t> node_of_worker;
};

// Lends, and by what all workers choose the ways that they take.
struct RoutedLends {
  std::vector<Lend> lends;
  RouteRule rule;
};

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
  // How they travel.
  RouteRule rule;
  // Which worker computes which of `tokens`, with these lends.
  TokenSplit split;
  // Of the plan in use; 0: none.
  PlanId plan;
  // Forecast for it: of an inline plan the coordinator's, of one made ahead
  // that by these counts. 0 without a plan.
  double predicted_us = 0;
  // How long the counts of slower workers were waited for.
  absl::Duration peer_wait;
};

// What `plan` makes of these counts: equal input gives equal routings on every
// worker. Lends without tokens would move bytes for nothing and are left out.
// `plan` must be valid; the default transfers nothing. `cost` is the model that
// it was made by.
LayerRouting RouteLayer(LoadMatrix tokens,
                        std::vector<WorkerRank> home_of_expert,
                        const LayerPlan& plan = {}, const CostModel& cost = {},
                        const GroupFacts& group = {});

// The same for `layer` of a plan made ahead, whose moves have been made: the
// counts decide who computes what, and, where the plan's mode says so, on
// top-ups, which spare slots bound.
LayerRouting RouteLayerAhead(LoadMatrix tokens,
                             std::vector<WorkerRank> home_of_expert,
                             const StepPlan& plan, LayerId layer,
                             const GroupFacts& group);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_LAYER_ROUTING_H_
