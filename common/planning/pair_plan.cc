#include "common/planning/pair_plan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_timing.h"
#include "common/planning/load_order.h"

namespace balancemoe {
namespace {

// Sets looked at and transfers timed per layer, over all pairs that are too
// large to be searched completely: at most some 10 ms on one core.
constexpr int64_t kBudgetPerLayer = 100'000;

struct SearchedPair {
  WorkerPair workers;
  PairLends best;
};

std::vector<Lend> AllTransfers(const std::vector<SearchedPair>& pairs) {
  std::vector<Lend> transfers;
  for (const SearchedPair& pair : pairs) {
    transfers.insert(transfers.end(), pair.best.lends.begin(),
                     pair.best.lends.end());
  }
  return transfers;
}

LayerTiming TimeTransfers(const LayerSnapshot& snapshot,
                          const LayerLoads& loads, PairTransfer kind,
                          const std::vector<Lend>& transfers) {
  if (kind == PairTransfer::kLend) {
    return TimeLayer(loads, snapshot.cost, transfers);
  }
  const std::vector<Move> moves = MovesOf(transfers);
  return LayerForecaster(snapshot.cost)
      .Time(loads.WithHomes(HomesAfter(snapshot.home_of_expert, moves)),
            {.moves = moves});
}

// A pass ends with the last of all workers, so a pair that gains more in
// backward than it loses in forward can still cost the layer time: takes back
// the transfers of each pair without which the layer is faster.
LayerTiming TakeBackHarmful(const LayerSnapshot& snapshot,
                            const LayerLoads& loads, PairTransfer kind,
                            std::vector<SearchedPair>& pairs) {
  LayerTiming timing =
      TimeTransfers(snapshot, loads, kind, AllTransfers(pairs));
  for (SearchedPair& pair : pairs) {
    if (pair.best.lends.empty()) continue;
    const WorkerTimes& heavy = timing.workers[pair.workers.heavy.index()];
    const WorkerTimes& light = timing.workers[pair.workers.light.index()];
    // Other pairs determine when the layer ends; this one cannot matter. (With
    // moves, optimizer state may determine it.)
    if (kind == PairTransfer::kLend &&
        std::max(heavy.forward_us, light.forward_us) < timing.forward_us &&
        std::max(heavy.backward_us, light.backward_us) < timing.backward_us) {
      continue;
    }
    std::vector<Lend> taken_back = std::exchange(pair.best.lends, {});
    LayerTiming without =
        TimeTransfers(snapshot, loads, kind, AllTransfers(pairs));
    if (without.layer_us() < timing.layer_us()) {
      timing = std::move(without);
    } else {
      pair.best.lends = std::move(taken_back);
    }
  }
  return timing;
}

std::string Completeness(const std::vector<SearchedPair>& pairs) {
  const auto cut =
      std::count_if(pairs.begin(), pairs.end(),
                    [](const SearchedPair& pair) { return !pair.best.exact; });
  if (cut == 0) return "";
  return absl::StrCat("; ", cut, " of ", pairs.size(), " pairs have over ",
                      kExactPairExperts, " experts and were searched in part");
}

}  // namespace

std::vector<WorkerPair> PairWorkers(const LayerLoads& loads) {
  const std::vector<WorkerRank> ranks = WorkersByLoad(loads.workers());
  std::vector<WorkerPair> pairs;
  for (size_t i = 0; i < ranks.size() / 2; ++i) {
    pairs.push_back({.heavy = ranks[i], .light = ranks[ranks.size() - 1 - i]});
  }
  return pairs;
}

std::vector<Move> MovesOf(absl::Span<const Lend> transfers) {
  std::vector<Move> moves;
  for (const Lend& transfer : transfers) {
    moves.push_back({transfer.expert, transfer.from, transfer.to});
  }
  return moves;
}

PairPlan PlanPairs(const LayerSnapshot& snapshot, const LayerLoads& loads,
                   PairTransfer kind) {
  std::vector<SearchedPair> pairs;
  for (const WorkerPair& workers : PairWorkers(loads)) {
    pairs.push_back({.workers = workers, .best = {}});
  }
  for (SearchedPair& pair : pairs) {
    pair.best = FindPairLends(
        snapshot, loads, pair.workers.heavy, pair.workers.light,
        kBudgetPerLayer / static_cast<int64_t>(pairs.size()), kind);
  }
  const double after_us =
      TakeBackHarmful(snapshot, loads, kind, pairs).layer_us();
  PairPlan plan = {.transfers = AllTransfers(pairs),
                   .remark = Completeness(pairs)};
  if (after_us > TimeLayer(loads, snapshot.cost, {}).layer_us()) {
    plan.transfers.clear();
  }
  return plan;
}

}  // namespace balancemoe
