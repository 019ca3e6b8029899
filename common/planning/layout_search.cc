#include "common/planning/layout_search.h"

#include <cstddef>
#include <utility>

#include "common/planning/home_swaps.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/replica_search.h"
#include "common/planning/replica_timer.h"

namespace balancemoe {
namespace {

// Iterations after which a move must have paid for itself.
constexpr double kHorizon = 10;
constexpr int kMostSwaps = 4;

// Replicas that stay replicas when their experts move.
std::vector<Replica> StillAway(const LayerSnapshot& snapshot,
                               const LayerLoads& moved) {
  std::vector<Replica> replicas;
  for (const Replica& replica : snapshot.replicas) {
    if (moved.home(replica.expert) != replica.worker) {
      replicas.push_back(replica);
    }
  }
  return replicas;
}

}  // namespace

void LayoutSearch::SwapBetweenNodes(const LayerLoads& loads,
                                    Layout& layout) const {
  Layout swapped = {.moves = BalanceNodes(loads, kMostSwaps)};
  if (swapped.moves.empty()) return;
  const LayerLoads moved = LoadsAfter(swapped.moves);
  ReplicaSearch search(moved, snapshot_.cost, UsableSlots(snapshot_),
                       StillAway(snapshot_, moved), {});
  search.Look();
  search.Run();
  swapped.replicas = search.replicas();
  swapped.lends = search.lends();
  swapped.time_us = search.time_us();
  Accept(moved, std::move(swapped), layout);
}

void LayoutSearch::SwapBetweenWorkers(Layout& layout) const {
  const std::vector<Move> more =
      BalanceArrivals(LoadsAfter(layout.moves), layout.replicas, kMostSwaps);
  if (more.empty()) return;
  const std::vector<WorkerRank> homes =
      HomesAfter(HomesAfter(snapshot_.home_of_expert, layout.moves), more);
  Layout swapped = {.replicas = layout.replicas};
  for (size_t e = 0; e < homes.size(); ++e) {
    const WorkerRank from = snapshot_.home_of_expert[e];
    if (homes[e] == from) continue;
    swapped.moves.push_back(
        {ExpertId(static_cast<int32_t>(e)), from, homes[e]});
  }
  const LayerLoads moved = LoadsAfter(swapped.moves);
  ReplicaTimer timer(moved, snapshot_.cost);
  swapped.time_us = timer.TimeUs(swapped.replicas, {});
  swapped.lends = timer.lends();
  Accept(moved, std::move(swapped), layout);
}

LayerLoads LayoutSearch::LoadsAfter(absl::Span<const Move> moves) const {
  return LayerLoads(forecast_, snapshot_.num_workers(),
                    HomesAfter(snapshot_.home_of_expert, moves),
                    snapshot_.node_of_worker);
}

void LayoutSearch::Accept(const LayerLoads& moved, Layout candidate,
                          Layout& layout) const {
  const double moving_us =
      LayerForecaster(snapshot_.cost)
          .Time(moved, {.moves = candidate.moves,
                        .lends = candidate.lends,
                        .early_lends = candidate.lends.size(),
                        .early_moves = true})
          .layer_us();
  const double gain_us = layout.time_us - candidate.time_us;
  if (gain_us * kHorizon <= moving_us - candidate.time_us) return;
  layout = std::move(candidate);
}

}  // namespace balancemoe
