#include "common/planning/pairwise_dp_policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/planning/layer_loads.h"
#include "common/planning/layer_timing.h"
#include "common/planning/overlap_knapsack.h"
#include "common/planning/pair_plan.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {
namespace {

// The lighter worker's own first, as the published table has them.
std::vector<ExpertId> ExpertsOf(const WorkerPair& pair,
                                const LayerLoads& loads) {
  std::vector<ExpertId> experts;
  for (const WorkerRank worker : {pair.light, pair.heavy}) {
    for (int32_t e = 0; e < loads.num_experts(); ++e) {
      if (loads.home(ExpertId(e)) == worker) experts.emplace_back(e);
    }
  }
  return experts;
}

void AppendMoves(const WorkerPair& pair, const CostModel& cost,
                 const LayerLoads& loads, std::vector<Move>& moves) {
  const int64_t capacity = (loads.workers()[pair.light.index()].computed +
                            loads.workers()[pair.heavy.index()].computed) /
                           2;
  if (capacity == 0) return;
  // As published: the parameters' way there counts twice, gradients not at all.
  const double transfer_us =
      2 * cost.link(loads.ClassBetween(pair.light, pair.heavy))
              .TransferUs(static_cast<double>(cost.expert_bytes));
  const std::vector<ExpertId> experts = ExpertsOf(pair, loads);
  std::vector<KnapsackItem> items;
  for (const ExpertId expert : experts) {
    const int64_t tokens = loads.TokensOfExpert(expert);
    items.push_back(
        {.tokens = tokens,
         .compute_us = ExpertComputeUs(cost, tokens),
         .transfer_us = loads.home(expert) == pair.light ? 0 : transfer_us});
  }
  const std::vector<bool> taken = ChooseItems(items, capacity);
  for (size_t i = 0; i < experts.size(); ++i) {
    const WorkerRank from = loads.home(experts[i]);
    const WorkerRank to = taken[i] ? pair.light : pair.heavy;
    if (from != to) moves.push_back({experts[i], from, to});
  }
}

}  // namespace

LayerPlan PairwiseDpPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  LayerPlan plan;
  for (const WorkerPair& pair : PairWorkers(loads)) {
    AppendMoves(pair, snapshot.cost, loads, plan.moves);
  }
  std::sort(plan.moves.begin(), plan.moves.end());
  ForecastPlan(snapshot, loads, TransferStart::kWithLayer,
               {"moves", "the knapsacks leave every expert where it is"}, plan);
  return plan;
}

}  // namespace balancemoe
