#ifndef BALANCEMOE_COMMON_PLANNING_EXPERT_ROUTE_H_
#define BALANCEMOE_COMMON_PLANNING_EXPERT_ROUTE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/plan.h"

namespace balancemoe {

// By what all workers of a job choose routes alike. The default sends from home
// to each borrower.
struct RouteRule {
  CostModel cost = {};
  FanOut fan_out = FanOut::kOneByOne;
  // [W]; empty: all on one.
  std::vector<int32_t> node_of_worker = {};

  bool operator==(const RouteRule&) const = default;
};

// One worker passes an expert on to another.
struct RouteHop {
  WorkerRank from;
  WorkerRank to;

  bool operator==(const RouteHop&) const = default;
};

// How an expert reaches its borrowers. Gradients take the same hops backwards
// and add up where hops meet.
struct ExpertRoute {
  // One to each borrower; whoever sends comes before as a receiver, or is home.
  std::vector<RouteHop> hops;
  // Parts, of about one size, in which the expert travels. A worker passes one
  // on while the next one comes.
  int32_t parts = 1;

  // Whom `worker` gets the expert from; itself where it gets it from nobody.
  WorkerRank SenderTo(WorkerRank worker) const;
  // To whom `worker` passes it on, in the order of the hops.
  std::vector<WorkerRank> ReceiversFrom(WorkerRank worker) const;

  bool operator==(const ExpertRoute&) const = default;
};

// The route from `home` to all `borrowers`, none of which is home or named
// twice.
ExpertRoute RouteOf(const RouteRule& rule, WorkerRank home,
                    absl::Span<const WorkerRank> borrowers);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_EXPERT_ROUTE_H_
