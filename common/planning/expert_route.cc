#include "common/planning/expert_route.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "common/planning/transfer_route.h"

namespace balancemoe {
namespace {

// Beyond that, waking up for a part costs more than it hides.
constexpr double kMostParts = 32;

// Of a chain over `hops`: where the time of ChooseRoute is least.
int32_t BestParts(const CostModel& cost, double hops) {
  const double whole_us =
      static_cast<double>(cost.expert_bytes) * cost.intra_node.us_per_byte;
  const double best =
      std::sqrt((hops - 1) * whole_us / cost.intra_node.latency_us);
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

// Along the ranks, as the timing rule lays it.
ExpertRoute Chain(WorkerRank home, std::vector<WorkerRank> borrowers,
                  const CostModel& cost) {
  std::sort(borrowers.begin(), borrowers.end());
  ExpertRoute route;
  route.parts = BestParts(cost, static_cast<double>(borrowers.size()));
  WorkerRank last = home;
  for (const WorkerRank borrower : borrowers) {
    route.hops.push_back({last, borrower});
    last = borrower;
  }
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
  const Route route =
      ChooseRoute(rule.cost, static_cast<double>(rule.cost.expert_bytes),
                  {.near = static_cast<int32_t>(borrowers.size())});
  switch (route.kind) {
    case RouteKind::kApart:
      return Star(home, borrowers);
    case RouteKind::kRelay:
      return Chain(home, {borrowers.begin(), borrowers.end()}, rule.cost);
    case RouteKind::kTree:
      return Tree(home, borrowers);
  }
  return Star(home, borrowers);
}

}  // namespace balancemoe
