#include "common/planning/adaptive_policy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/planning/fewest_lends.h"
#include "common/planning/home_swaps.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"
#include "common/planning/lower_bound.h"
#include "common/planning/replica_search.h"

namespace balancemoe {
namespace {

// Part of the forecast that the latest loads have; the rest is from before.
constexpr double kLatest = 0.8;
// A load is balanced when no worker has more than this many times the mean.
constexpr double kBalanced = 1.005;
// What is in place serves while it is no further from the bound than when it
// was chosen, but for this.
constexpr double kServes = 1.002;
// What replaces it must gain as much.
constexpr double kLeastGain = 0.002;
// Iterations after which a move must have paid for itself.
constexpr double kHorizon = 10;
constexpr int kMostSwaps = 4;

std::vector<int64_t> Forecast(const LayerSnapshot& snapshot) {
  std::vector<int64_t> forecast = snapshot.history.back().tokens_of_expert;
  if (snapshot.history.size() == 1) return forecast;
  const std::vector<int64_t>& before =
      snapshot.history[snapshot.history.size() - 2].tokens_of_expert;
  for (size_t e = 0; e < forecast.size(); ++e) {
    forecast[e] = std::llround(kLatest * static_cast<double>(forecast[e]) +
                               (1 - kLatest) * static_cast<double>(before[e]));
  }
  return forecast;
}

std::string Describe(const LayerLoads& loads, const LayerPlan& plan,
                     absl::string_view what) {
  const BusiestWorker busiest = FindBusiest(loads.workers());
  return absl::StrFormat(
      "%s: worker %d is %.2f times the mean at home; predicted %.3f -> %.3f ms",
      std::string(what), busiest.rank.value(), busiest.times_mean,
      plan.predicted_before_us / 1000, plan.predicted_after_us / 1000);
}

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

void UseReplicas(ReplicaSearch& search, LayerPlan& plan) {
  plan.lends = search.Lends();
  // The counts will tell.
  for (Lend& lend : plan.lends) lend.tokens = 0;
  plan.predicted_after_us = search.time_us();
}

// Homes, and the replicas that go with them.
struct Layout {
  std::vector<Move> moves;
  std::vector<Replica> replicas;
  std::vector<Lend> lends;
  double time_us = 0;
};

// Both kinds of swaps, as one decision about where experts live.
class LayoutSearch {
 public:
  LayoutSearch(const LayerSnapshot& snapshot,
               absl::Span<const int64_t> forecast)
      : snapshot_(snapshot), forecast_(forecast) {}

  // Takes experts to other nodes where the search for replicas after it finds a
  // layer that is faster by more, over the horizon, than moving costs once.
  void SwapBetweenNodes(const LayerLoads& loads, Layout& layout) const {
    std::vector<Move> moves = BalanceNodes(loads, kMostSwaps);
    if (moves.empty()) return;
    const LayerLoads moved = LoadsAfter(moves);
    ReplicaSearch search(moved, snapshot_.cost, UsableSlots(snapshot_),
                         StillAway(snapshot_, moved), {});
    search.Look();
    search.Run();
    Accept(
        moved,
        {std::move(moves), search.replicas(), search.Lends(), search.time_us()},
        layout);
  }

  // Swaps experts that have no replicas, which leaves replicas as they are.
  void SwapBetweenWorkers(Layout& layout) const {
    const LayerLoads before = LoadsAfter(layout.moves);
    const std::vector<Move> more =
        BalanceArrivals(before, layout.replicas, kMostSwaps);
    if (more.empty()) return;
    const std::vector<WorkerRank> homes =
        HomesAfter(HomesAfter(snapshot_.home_of_expert, layout.moves), more);
    Layout swapped = {.replicas = layout.replicas};
    for (size_t e = 0; e < homes.size(); ++e) {
      const ExpertId expert(static_cast<int32_t>(e));
      const WorkerRank from = snapshot_.home_of_expert[e];
      if (homes[e] != from) swapped.moves.push_back({expert, from, homes[e]});
    }
    const LayerLoads moved = LoadsAfter(swapped.moves);
    ReplicaTimer timer(moved, snapshot_.cost);
    swapped.time_us = timer.TimeUs(swapped.replicas, {});
    swapped.lends = timer.lends();
    Accept(moved, std::move(swapped), layout);
  }

 private:
  LayerLoads LoadsAfter(absl::Span<const Move> moves) const {
    return LayerLoads(forecast_, snapshot_.num_workers(),
                      HomesAfter(snapshot_.home_of_expert, moves),
                      snapshot_.node_of_worker);
  }

  void Accept(const LayerLoads& moved, Layout candidate, Layout& layout) const {
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

  const LayerSnapshot& snapshot_;
  const absl::Span<const int64_t> forecast_;
};

}  // namespace

LayerPlan AdaptivePolicy::Decide(const LayerSnapshot& snapshot) const {
  return inline_ ? DecideInline(snapshot) : DecideAhead(snapshot);
}

LayerPlan AdaptivePolicy::DecideInline(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<int32_t> slots = UsableSlots(snapshot);
  ReplicaSearch search(loads, snapshot.cost, slots, {},
                       {.price_per_copy = 0, .late = true});
  search.Look();
  LayerPlan plan;
  plan.predicted_before_us = search.time_without_us();
  if (FindBusiest(loads.workers()).times_mean <= kBalanced) {
    plan.predicted_after_us = plan.predicted_before_us;
    plan.searched = false;
    plan.reason = Describe(loads, plan, "no lends, the load is balanced");
    return plan;
  }
  if (options_.fewest_copies) {
    plan.lends = FewestLends(loads, slots, options_.target_imbalance);
    plan.predicted_after_us =
        TimeLayer(loads, snapshot.cost, plan.lends).layer_us();
  } else {
    search.Run();
    plan.lends = search.Lends();
    plan.predicted_after_us = search.time_us();
  }
  plan.reason =
      Describe(loads, plan, absl::StrCat(plan.lends.size(), " lends"));
  return plan;
}

LayerPlan AdaptivePolicy::DecideAhead(const LayerSnapshot& snapshot) const {
  const std::vector<int64_t> forecast = Forecast(snapshot);
  const LayerLoads loads(forecast, snapshot.num_workers(),
                         snapshot.home_of_expert, snapshot.node_of_worker);
  const double bound_us = LowerBoundUs(loads, snapshot.cost);
  LayerPlan plan;
  plan.split = SplitRule::kMinMax;
  ReplicaSearch search(loads, snapshot.cost, UsableSlots(snapshot),
                       snapshot.replicas, {});
  search.Look();
  plan.predicted_before_us = search.time_without_us();
  const double serves_us = snapshot.planned_ratio * kServes * bound_us;
  if (FindBusiest(loads.workers()).times_mean <= kBalanced) {
    plan.predicted_after_us = plan.predicted_before_us;
    plan.reason = Describe(loads, plan, "no replicas, the load is balanced");
    return plan;
  }
  std::string what = "kept";
  plan.planned_ratio = snapshot.planned_ratio;
  if (search.time_in_place_us() > serves_us) {
    search.Repair();
    what = "repaired";
    if (search.time_us() > serves_us) {
      search.Run();
      what = "searched";
      LayoutSearch layouts(snapshot, forecast);
      Layout layout = {.replicas = search.replicas(),
                       .lends = search.Lends(),
                       .time_us = search.time_us()};
      layouts.SwapBetweenNodes(loads, layout);
      layouts.SwapBetweenWorkers(layout);
      plan.moves = layout.moves;
      plan.lends = layout.lends;
      for (Lend& lend : plan.lends) lend.tokens = 0;
      plan.predicted_after_us = layout.time_us;
      plan.planned_ratio = plan.predicted_after_us / bound_us;
      plan.reason =
          Describe(loads, plan,
                   absl::StrCat(plan.moves.size(), " moves, ",
                                plan.lends.size(), " replicas, searched"));
      return plan;
    }
  }
  UseReplicas(search, plan);
  plan.reason = Describe(loads, plan,
                         absl::StrCat(plan.lends.size(), " replicas, ", what));
  return plan;
}

}  // namespace balancemoe
