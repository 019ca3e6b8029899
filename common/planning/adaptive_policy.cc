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
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layout_search.h"
#include "common/planning/lower_bound.h"
#include "common/planning/replica_search.h"
#include "common/planning/replica_timer.h"

namespace balancemoe {
namespace {

// Part of the forecast that the latest loads have; the rest is from before.
constexpr double kLatest = 0.8;
// A load is balanced when no worker has more than this many times the mean.
constexpr double kBalanced = 1.005;
// How much a plan ahead clings to what is in place.
struct Stickiness {
  // What is in place serves while its predicted time over the bound is no more
  // than this many times what it was when it was chosen, and this much more for
  // each time the bound that it was then above it: where most is lost on links
  // that no layout avoids, small changes of the loads change the time more.
  double serves = 1;
  double more_per_excess = 0;
  // By which share a layer must be faster for each new copy.
  double price_per_copy = 0;
};
// A top-up mends whatever the plan misses, so the plan can follow the loads
// closely; without one, copies that outlast a passing peak are worth more.
constexpr Stickiness kHybrid = {
    .serves = 1.001, .more_per_excess = 0.02, .price_per_copy = 0.0001};
constexpr Stickiness kAhead = {.serves = 1.1, .price_per_copy = 0.004};

// Of a layer's time with what is in place over the bound, before something else
// is looked for.
double MostRatio(const Stickiness& stickiness, const LayerSnapshot& snapshot) {
  return snapshot.planned_ratio * stickiness.serves *
         (1 + stickiness.more_per_excess * (snapshot.planned_ratio - 1));
}

// From history, or, before there is any, what is known of the iteration itself.
std::vector<int64_t> Forecast(const LayerSnapshot& snapshot) {
  if (snapshot.history.empty()) return KnownLoads(snapshot).tokens_of_expert();
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

// What is best now: replicas, and homes where they should change.
Layout SearchAnew(const LayerSnapshot& snapshot,
                  absl::Span<const int64_t> forecast, const LayerLoads& loads,
                  ReplicaSearch& search) {
  search.Run();
  Layout layout = {.replicas = search.replicas(),
                   .lends = search.lends(),
                   .time_us = search.time_us()};
  const LayoutSearch layouts(snapshot, forecast);
  layouts.SwapBetweenNodes(loads, layout);
  layouts.SwapBetweenWorkers(layout);
  return layout;
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
    PlanFewestCopies(snapshot, loads, plan);
  } else {
    search.Run();
    plan.lends = search.lends();
    plan.predicted_after_us = search.time_us();
  }
  plan.reason =
      Describe(loads, plan, absl::StrCat(plan.lends.size(), " lends"));
  return plan;
}

void AdaptivePolicy::PlanFewestCopies(const LayerSnapshot& snapshot,
                                      const LayerLoads& loads,
                                      LayerPlan& plan) const {
  const std::vector<int32_t> slots = UsableSlots(snapshot);
  std::vector<PastLoads> known = snapshot.history;
  known.push_back({snapshot.iteration, loads.tokens_of_expert()});
  plan.moves = SwapForFewerLends(known, snapshot.home_of_expert, slots,
                                 options_.target_imbalance);
  const LayerLoads moved(snapshot.tokens,
                         HomesAfter(snapshot.home_of_expert, plan.moves),
                         snapshot.node_of_worker);
  plan.lends = FewestLends(moved, slots, options_.target_imbalance);
  plan.predicted_after_us =
      LayerForecaster(snapshot.cost)
          .Time(moved, {.moves = plan.moves, .lends = plan.lends})
          .layer_us();
}

// Keeps what is in place as long as it reaches the target.
void AdaptivePolicy::PlanFewestReplicas(const LayerSnapshot& snapshot,
                                        const LayerLoads& loads,
                                        LayerPlan& plan) const {
  ReplicaTimer timer(loads, snapshot.cost);
  plan.predicted_after_us = timer.TimeUs(snapshot.replicas, {});
  plan.lends = timer.lends();
  const double most_tokens = options_.target_imbalance *
                             static_cast<double>(loads.total_tokens()) /
                             loads.num_workers();
  if (static_cast<double>(timer.peak_tokens()) > most_tokens) {
    plan.lends =
        FewestLends(loads, UsableSlots(snapshot), options_.target_imbalance);
    plan.predicted_after_us =
        LayerForecaster(snapshot.cost)
            .Time(loads,
                  {.lends = plan.lends, .early_lends = plan.lends.size()})
            .layer_us();
  }
  for (Lend& lend : plan.lends) lend.tokens = 0;
  plan.reason =
      Describe(loads, plan, absl::StrCat(plan.lends.size(), " replicas"));
}

LayerPlan AdaptivePolicy::DecideAhead(const LayerSnapshot& snapshot) const {
  const std::vector<int64_t> forecast = Forecast(snapshot);
  const LayerLoads loads(forecast, snapshot.num_workers(),
                         snapshot.home_of_expert, snapshot.node_of_worker);
  const double bound_us = LowerBoundUs(loads, snapshot.cost);
  const Stickiness& stickiness = ahead_ ? kAhead : kHybrid;
  LayerPlan plan;
  plan.split = SplitRule::kMinMax;
  ReplicaSearch search(loads, snapshot.cost, UsableSlots(snapshot),
                       snapshot.replicas,
                       {.price_per_copy = stickiness.price_per_copy});
  search.Look();
  plan.predicted_before_us = search.time_without_us();
  if (FindBusiest(loads.workers()).times_mean <= kBalanced) {
    plan.predicted_after_us = plan.predicted_before_us;
    plan.reason = Describe(loads, plan, "no replicas, the load is balanced");
    return plan;
  }
  if (options_.fewest_copies) {
    PlanFewestReplicas(snapshot, loads, plan);
    return plan;
  }
  const double serves_us = MostRatio(stickiness, snapshot) * bound_us;
  std::string how = "kept";
  plan.planned_ratio = snapshot.planned_ratio;
  if (search.time_in_place_us() > serves_us) {
    search.Repair();
    how = "repaired";
  }
  Layout layout = {.lends = search.lends(), .time_us = search.time_us()};
  if (layout.time_us > serves_us) {
    layout = SearchAnew(snapshot, forecast, loads, search);
    how = "found anew";
    plan.planned_ratio = layout.time_us / bound_us;
  }
  plan.moves = std::move(layout.moves);
  plan.lends = std::move(layout.lends);
  // The counts will tell.
  for (Lend& lend : plan.lends) lend.tokens = 0;
  plan.predicted_after_us = layout.time_us;
  plan.reason = Describe(loads, plan,
                         absl::StrCat(plan.lends.size(), " replicas and ",
                                      plan.moves.size(), " moves, ", how));
  return plan;
}

}  // namespace balancemoe
