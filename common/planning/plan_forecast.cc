#include "common/planning/plan_forecast.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/lend_quotas.h"
#include "common/planning/quota_split.h"

namespace balancemoe {
namespace {

// "1 move, 3 lends"
std::string CountTransfers(const LayerPlan& plan) {
  std::vector<std::string> parts;
  const auto add = [&](size_t count, absl::string_view name) {
    if (count == 0) return;
    parts.push_back(absl::StrCat(count, " ", name, count == 1 ? "" : "s"));
  };
  add(plan.moves.size(), "move");
  add(plan.lends.size(), "lend");
  return absl::StrJoin(parts, ", ");
}

std::string ReasonForNothing(const BusiestWorker& busiest,
                             const NothingPlanned& nothing, double layer_us) {
  return absl::StrFormat(
      "no %s: worker %d is %.2f times the mean, but %s; predicted %.3f ms",
      nothing.transfers, busiest.rank.value(), busiest.times_mean, nothing.why,
      layer_us / 1000);
}

std::string ReasonForPlan(const BusiestWorker& before,
                          const BusiestWorker& after, const LayerPlan& plan) {
  const std::string now =
      after.rank == before.rank
          ? "now"
          : absl::StrCat("now worker ", after.rank.value(), " is busiest with");
  return absl::StrFormat(
      "%s: worker %d was %.2f times the mean, %s %.2f; predicted %.3f -> %.3f "
      "ms",
      CountTransfers(plan), before.rank.value(), before.times_mean, now,
      after.times_mean, plan.predicted_before_us / 1000,
      plan.predicted_after_us / 1000);
}

}  // namespace

void ForecastPlan(const LayerSnapshot& snapshot, const LayerLoads& loads,
                  TransferStart start, const NothingPlanned& nothing,
                  LayerPlan& plan) {
  const BusiestWorker before = FindBusiest(loads.workers());
  LayerForecaster forecaster(snapshot.cost);
  plan.predicted_before_us = forecaster.Time(loads, {}).layer_us();
  if (plan.moves.empty() && plan.lends.empty()) {
    plan.predicted_after_us = plan.predicted_before_us;
    plan.reason = ReasonForNothing(before, nothing, plan.predicted_before_us);
    return;
  }
  const LayerLoads moved =
      loads.WithHomes(HomesAfter(snapshot.home_of_expert, plan.moves));
  QuotaSplitter splitter;
  const std::vector<Lend> lends = ResolveQuotas(plan, moved, splitter);
  const bool early = start == TransferStart::kEarly;
  plan.predicted_after_us =
      forecaster
          .Time(moved, {.moves = plan.moves,
                        .lends = lends,
                        .early_lends = early ? lends.size() : 0,
                        .early_moves = early,
                        .fan_out = plan.fan_out})
          .layer_us();
  plan.reason = ReasonForPlan(before, FindBusiest(forecaster.workers()), plan);
}

}  // namespace balancemoe
