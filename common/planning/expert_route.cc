#include "common/planning/expert_route.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "common/planning/lanes.h"

namespace balancemoe {
namespace {

// Beyond that, waking up for a part costs more than it hides.
constexpr double kMostParts = 32;

// Of a chain over `hops` with this slowest link: where the time of ChooseRoute
// is least.
int32_t BestParts(const CostModel& cost, const Link& slowest, double hops) {
  const double whole_us =
      static_cast<double>(cost.expert_bytes) * slowest.us_per_byte;
  const double best = std::sqrt((hops - 1) * whole_us / slowest.latency_us);
  // Without latency, infinity.
  return static_cast<int32_t>(std::lround(std::clamp(best, 1.0, kMostParts)));
}

ExpertRoute Star(WorkerRank home, absl::Span<const WorkerRank> borrowers) {
  ExpertRoute route;
  for (const WorkerRank borrower : borrowers) {
    route.hops.push_back({home, borrower});
  }
  return route;
}

// As the timing rule lays it.
ExpertRoute Chain(absl::Span<const Lanes::Hop> hops, const Lanes& lanes,
                  const CostModel& cost) {
  ExpertRoute route;
  LinkClass slowest = LinkClass::kIntraNode;
  for (const Lanes::Hop& hop : hops) {
    slowest = std::max(slowest, lanes.ClassBetween(hop.from, hop.to));
    route.hops.push_back({WorkerRank(static_cast<int32_t>(hop.from)),
                          WorkerRank(static_cast<int32_t>(hop.to))});
  }
  route.parts =
      BestParts(cost, cost.link(slowest), static_cast<double>(hops.size()));
  return route;
}

// In each round, everybody who has the expert sends it to one who has not.
ExpertRoute Tree(WorkerRank home, absl::Span<const WorkerRank> borrowers) {
  ExpertRoute route;
  std::vector<WorkerRank> have = {home};
  while (route.hops.size() < borrowers.size()) {
    const size_t senders = have.size();
    for (size_t i = 0; i < senders && route.hops.size() < borrowers.size();
         ++i) {
      have.push_back(borrowers[route.hops.size()]);
      route.hops.push_back({have[i], have.back()});
    }
  }
  return route;
}

}  // namespace

WorkerRank ExpertRoute::SenderTo(WorkerRank worker) const {
  for (const RouteHop& hop : hops) {
    if (hop.to == worker) return hop.from;
  }
  return worker;
}

std::vector<WorkerRank> ExpertRoute::ReceiversFrom(WorkerRank worker) const {
  std::vector<WorkerRank> receivers;
  for (const RouteHop& hop : hops) {
    if (hop.from == worker) receivers.push_back(hop.to);
  }
  return receivers;
}

ExpertRoute RouteOf(const RouteRule& rule, WorkerRank home,
                    absl::Span<const WorkerRank> borrowers) {
  if (rule.fan_out == FanOut::kOneByOne || borrowers.size() == 1) {
    return Star(home, borrowers);
  }
  std::vector<size_t> others;
  size_t workers = home.index() + 1;
  for (const WorkerRank borrower : borrowers) {
    others.push_back(borrower.index());
    workers = std::max(workers, borrower.index() + 1);
  }
  std::vector<int32_t> nodes = rule.node_of_worker;
  if (nodes.empty()) nodes.resize(workers);
  Lanes lanes;
  lanes.Begin(rule.cost, nodes, 0);
  const Route route = lanes.RouteTo(
      home.index(), others, static_cast<double>(rule.cost.expert_bytes));
  switch (route.kind) {
    case RouteKind::kApart:
      return Star(home, borrowers);
    case RouteKind::kRelay:
      return Chain(lanes.LayChain(home.index(), others), lanes, rule.cost);
    case RouteKind::kTree:
      return Tree(home, borrowers);
  }
  return Star(home, borrowers);
}

}  // namespace balancemoe
