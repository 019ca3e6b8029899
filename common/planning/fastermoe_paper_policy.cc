#include "common/planning/fastermoe_paper_policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/planning/expert_shadowing.h"
#include "common/planning/layer_loads.h"
#include "common/planning/load_order.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {
namespace {

std::vector<ExpertId> ExpertsAt(WorkerRank worker, const LayerLoads& loads) {
  std::vector<ExpertId> experts;
  for (int32_t e = 0; e < loads.num_experts(); ++e) {
    if (loads.home(ExpertId(e)) == worker) experts.emplace_back(e);
  }
  return experts;
}

// Tokens of a shadowed expert are computed where they come from.
void LeaveAtSources(ExpertId expert, const LayerLoads& loads,
                    std::vector<int64_t>& tokens_of_worker) {
  tokens_of_worker[loads.home(expert).index()] -= loads.TokensOfExpert(expert);
  for (size_t i = 0; i < tokens_of_worker.size(); ++i) {
    tokens_of_worker[i] +=
        loads.At(WorkerRank(static_cast<int32_t>(i)), expert);
  }
}

}  // namespace

LayerPlan FasterMoePaperPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  ExpertShadowing shadowing(snapshot, loads);
  LayerPlan plan;
  // The rule is a single pass over sorted loads: it costs what a first look
  // costs, whatever it finds.
  plan.searched = false;
  std::vector<int64_t> tokens_of_worker;
  for (const WorkerTokens& worker : loads.workers()) {
    tokens_of_worker.push_back(worker.computed);
  }
  const auto busiest_us = [&] {
    return shadowing.TokensUs(
        *std::max_element(tokens_of_worker.begin(), tokens_of_worker.end()));
  };
  double best_us = busiest_us();
  double transfers_us = 0;
  for (const WorkerRank worker : WorkersByLoad(loads.workers())) {
    const std::vector<ExpertId> experts = ExpertsAt(worker, loads);
    for (const ExpertId expert : experts) {
      transfers_us += 2 * shadowing.ParametersUs();
      LeaveAtSources(expert, loads, tokens_of_worker);
    }
    const double next_us = busiest_us() + transfers_us;
    if (next_us >= best_us || !shadowing.HasSlots(worker, experts.size())) {
      break;
    }
    best_us = next_us;
    for (const ExpertId expert : experts) shadowing.Shadow(expert, plan);
  }
  SortByExpert(plan.lends);
  ForecastPlan(snapshot, loads, TransferStart::kWithLayer,
               {"lends", "no broadcast pays by the shadowing rule"}, plan);
  return plan;
}

}  // namespace balancemoe
