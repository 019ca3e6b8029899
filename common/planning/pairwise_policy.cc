#include "common/planning/pairwise_policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_timing.h"
#include "common/planning/pair_search.h"

namespace balancemoe {
namespace {

// Lends timed per layer, over all pairs that are too large to be searched
// completely: some 10 ms on one core.
constexpr int64_t kBudgetPerLayer = 100'000;

struct Pair {
  WorkerRank heavy;
  WorkerRank light;
  PairLends best;
};

// Lightest with heaviest and so on, the pair of the heaviest first.
std::vector<Pair> MakePairs(const LayerLoads& loads) {
  const std::vector<WorkerTokens>& workers = loads.workers();
  std::vector<int32_t> ranks(workers.size());
  std::iota(ranks.begin(), ranks.end(), 0);
  std::stable_sort(ranks.begin(), ranks.end(), [&](int32_t a, int32_t b) {
    return workers[static_cast<size_t>(a)].computed >
           workers[static_cast<size_t>(b)].computed;
  });
  std::vector<Pair> pairs;
  for (size_t i = 0; i < ranks.size() / 2; ++i) {
    pairs.push_back({.heavy = WorkerRank(ranks[i]),
                     .light = WorkerRank(ranks[ranks.size() - 1 - i]),
                     .best = {}});
  }
  return pairs;
}

std::vector<Lend> AllLends(const std::vector<Pair>& pairs) {
  std::vector<Lend> lends;
  for (const Pair& pair : pairs) {
    lends.insert(lends.end(), pair.best.lends.begin(), pair.best.lends.end());
  }
  return lends;
}

// A pass ends with the last of all workers, so a pair that gains more in
// backward than it loses in forward can still cost the layer time: takes back
// the lends of each pair without which the layer is faster.
LayerTiming TakeBackHarmful(const LayerLoads& loads, const CostModel& cost,
                            std::vector<Pair>& pairs) {
  LayerTiming timing = TimeLayer(loads, cost, AllLends(pairs));
  for (Pair& pair : pairs) {
    if (pair.best.lends.empty()) continue;
    const WorkerTimes& heavy = timing.workers[pair.heavy.index()];
    const WorkerTimes& light = timing.workers[pair.light.index()];
    // Other pairs determine when the layer ends; this one cannot matter.
    if (std::max(heavy.forward_us, light.forward_us) < timing.forward_us &&
        std::max(heavy.backward_us, light.backward_us) < timing.backward_us) {
      continue;
    }
    std::vector<Lend> lends = std::exchange(pair.best.lends, {});
    LayerTiming without = TimeLayer(loads, cost, AllLends(pairs));
    if (without.layer_us() < timing.layer_us()) {
      timing = std::move(without);
    } else {
      pair.best.lends = std::move(lends);
    }
  }
  return timing;
}

std::string Outcome(const LayerLoads& loads, const CostModel& cost,
                    const LayerPlan& plan) {
  const BusiestWorker before = FindBusiest(loads.workers());
  if (plan.lends.empty()) {
    return absl::StrFormat(
        "no lends: worker %d is %.2f times the mean, but no lend within "
        "pairs of workers makes the layer faster; predicted %.3f ms",
        before.rank.value(), before.times_mean,
        plan.predicted_before_us / 1000);
  }
  LayerForecaster forecaster(cost);
  forecaster.Time(loads, {.lends = plan.lends});
  const BusiestWorker after = FindBusiest(forecaster.workers());
  const std::string now =
      after.rank == before.rank
          ? "now"
          : absl::StrCat("now worker ", after.rank.value(), " is busiest with");
  return absl::StrFormat(
      "%d lend%s: worker %d was %.2f times the mean, %s %.2f; predicted %.3f "
      "-> %.3f ms",
      plan.lends.size(), plan.lends.size() == 1 ? "" : "s", before.rank.value(),
      before.times_mean, now, after.times_mean, plan.predicted_before_us / 1000,
      plan.predicted_after_us / 1000);
}

std::string Completeness(const std::vector<Pair>& pairs) {
  const auto cut =
      std::count_if(pairs.begin(), pairs.end(),
                    [](const Pair& pair) { return !pair.best.exact; });
  if (cut == 0) return "";
  return absl::StrCat("; ", cut, " of ", pairs.size(), " pairs have over ",
                      kExactPairExperts, " experts and were searched in part");
}

}  // namespace

LayerPlan PairwisePolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  LayerPlan plan;
  plan.predicted_before_us = TimeLayer(loads, snapshot.cost, {}).layer_us();
  std::vector<Pair> pairs = MakePairs(loads);
  for (Pair& pair : pairs) {
    pair.best =
        FindPairLends(snapshot, loads, pair.heavy, pair.light,
                      kBudgetPerLayer / static_cast<int64_t>(pairs.size()));
  }
  plan.predicted_after_us =
      TakeBackHarmful(loads, snapshot.cost, pairs).layer_us();
  plan.lends = AllLends(pairs);
  if (plan.predicted_after_us > plan.predicted_before_us) {
    plan.lends.clear();
    plan.predicted_after_us = plan.predicted_before_us;
  }
  plan.reason =
      absl::StrCat(Outcome(loads, snapshot.cost, plan), Completeness(pairs));
  return plan;
}

}  // namespace balancemoe
