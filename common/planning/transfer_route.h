#ifndef BALANCEMOE_COMMON_PLANNING_TRANSFER_ROUTE_H_
#define BALANCEMOE_COMMON_PLANNING_TRANSFER_ROUTE_H_

#include <cstdint>

#include "common/planning/cost_model.h"

namespace balancemoe {

// How an expert reaches several workers.
enum class RouteKind {
  // From home to each of them, one by one.
  kApart,
  // A chain that passes chunks on as they come.
  kRelay,
  // Everybody who has it sends it to somebody who has not.
  kTree,
};

// The receivers of an expert, as far as the cost of reaching them goes.
struct RouteShape {
  // In home's node, and in others.
  int32_t near = 0;
  int32_t far = 0;
  // Other nodes that receivers are in: a chain that takes one node after the
  // other crosses between nodes so often.
  int32_t far_nodes = 0;

  int32_t receivers() const { return near + far; }
};

struct Route {
  RouteKind kind = RouteKind::kApart;
  // Until all have it. kApart with links of both classes: of the slower class.
  double duration_us = 0;
};

// The cheapest route. The chain's time over h hops, of chunks of the best size:
// latencies + bytes / bandwidth + 2 sqrt((h - 1) * bytes / bandwidth *
// latency), of the slowest link on the way.
Route ChooseRoute(const CostModel& cost, double bytes, const RouteShape& shape);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_TRANSFER_ROUTE_H_
