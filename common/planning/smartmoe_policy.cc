#include "common/planning/smartmoe_policy.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/load_order.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {
namespace {

int64_t PeriodOf(Iteration iteration) {
  return iteration.value() / SmartMoePolicy::kPeriod;
}

// Mean over the rows of the last row's period, rounded down; nothing before the
// first iteration has ended. [E]
std::vector<int64_t> MeanOfLastPeriod(const LayerSnapshot& snapshot) {
  std::vector<int64_t> mean(snapshot.home_of_expert.size());
  int64_t rows = 0;
  for (size_t i = snapshot.history.size(); i-- > 0; ++rows) {
    const PastLoads& past = snapshot.history[i];
    if (rows == static_cast<int64_t>(kHistoryLength) ||
        PeriodOf(past.iteration) !=
            PeriodOf(snapshot.history.back().iteration)) {
      break;
    }
    for (size_t e = 0; e < mean.size(); ++e) {
      mean[e] += past.tokens_of_expert[e];
    }
  }
  for (int64_t& tokens : mean) tokens /= std::max<int64_t>(rows, 1);
  return mean;
}

// Where the greedy placement would have each expert, [E].
std::vector<WorkerRank> PlaceGreedily(const LayerLoads& loads) {
  const auto workers = static_cast<size_t>(loads.num_workers());
  const auto experts = static_cast<size_t>(loads.num_experts());
  const size_t most = (experts + workers - 1) / workers;
  std::vector<WorkerRank> homes(experts);
  std::vector<int64_t> tokens(workers);
  std::vector<size_t> placed(workers);
  for (const ExpertId expert : ExpertsByLoad(loads.tokens_of_expert())) {
    const size_t home = loads.home(expert).index();
    size_t best = home;
    for (size_t i = 0; i < workers; ++i) {
      if (placed[i] == most) continue;
      if (placed[best] == most || tokens[i] < tokens[best]) best = i;
    }
    homes[expert.index()] = WorkerRank(static_cast<int32_t>(best));
    tokens[best] += loads.TokensOfExpert(expert);
    ++placed[best];
  }
  return homes;
}

// Those with the most tokens first.
std::vector<Move> MovesTo(absl::Span<const WorkerRank> homes,
                          const LayerLoads& loads) {
  std::vector<Move> moves;
  for (const ExpertId expert : ExpertsByLoad(loads.tokens_of_expert())) {
    const WorkerRank to = homes[expert.index()];
    if (to == loads.home(expert)) continue;
    moves.push_back({expert, loads.home(expert), to});
  }
  return moves;
}

}  // namespace

LayerPlan SmartMoePolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads(MeanOfLastPeriod(snapshot), snapshot.num_workers(),
                         snapshot.home_of_expert, snapshot.node_of_worker);
  LayerPlan plan;
  NothingPlanned nothing = {"moves", "its period has not ended"};
  if (snapshot.history.empty() || PeriodOf(snapshot.history.back().iteration) !=
                                      PeriodOf(snapshot.iteration)) {
    nothing.why = "no better placement was found";
    const std::vector<WorkerRank> homes = PlaceGreedily(loads);
    if (FindBusiest(loads.WithHomes(homes).workers()).tokens <
        FindBusiest(loads.workers()).tokens) {
      plan.moves = MovesTo(homes, loads);
    }
  }
  ForecastPlan(snapshot, loads, TransferStart::kEarly, nothing, plan);
  return plan;
}

}  // namespace balancemoe
