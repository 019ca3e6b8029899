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
constexpr double kServes = 1.005;
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

// Swaps homes between nodes where the search after it finds a layer that is
// faster by more, over the horizon, than the swap costs once.
bool PlanMoves(const LayerSnapshot& snapshot,
               absl::Span<const int64_t> forecast, const LayerLoads& loads,
               double time_us, LayerPlan& plan) {
  std::vector<Move> moves = BalanceNodes(loads, kMostSwaps);
  if (moves.empty()) return false;
  const LayerLoads moved(forecast, loads.num_workers(),
                         HomesAfter(snapshot.home_of_expert, moves),
                         snapshot.node_of_worker);
  ReplicaSearch search(moved, snapshot.cost, UsableSlots(snapshot),
                       StillAway(snapshot, moved), {});
  search.Look();
  search.Run();
  const std::vector<Lend> lends = search.Lends();
  const double moving_us = LayerForecaster(snapshot.cost)
                               .Time(moved, {.moves = moves,
                                             .lends = lends,
                                             .early_lends = lends.size(),
                                             .early_moves = true})
                               .layer_us();
  if ((time_us - search.time_us()) * kHorizon <= moving_us - search.time_us()) {
    return false;
  }
  plan.moves = std::move(moves);
  UseReplicas(search, plan);
  return true;
}

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
      if (PlanMoves(snapshot, forecast, loads, search.time_us(), plan)) {
        plan.planned_ratio = plan.predicted_after_us / bound_us;
        plan.reason = Describe(loads, plan,
                               absl::StrCat(plan.moves.size(), " moves, ",
                                            plan.lends.size(), " replicas"));
        return plan;
      }
      plan.planned_ratio = search.time_us() / bound_us;
    }
  }
  UseReplicas(search, plan);
  plan.reason = Describe(loads, plan,
                         absl::StrCat(plan.lends.size(), " replicas, ", what));
  return plan;
}

}  // namespace balancemoe
