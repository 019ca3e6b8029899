#include "common/planning/top_up.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/planning/load_export.h"
#include "common/planning/replica_timer.h"

namespace balancemoe {
namespace {

// Times the mean load, from which exports of excess are tried.
// No top-up when no worker has more than this many times the mean.
constexpr double kBalanced = 1.01;
constexpr double kThresholds[] = {1.0, 1.05, 1.15, 1.4, 2.0};

}  // namespace

TopUpResult TopUp(const LayerLoads& loads, const CostModel& cost,
                  absl::Span<const int32_t> slots,
                  absl::Span<const Replica> planned) {
  ReplicaTimer timer(loads, cost);
  TopUpResult result;
  double best_us = timer.TimeUs(planned, {});
  result.lends = timer.lends();
  result.planned = planned.size();
  const BusiestWorker busiest = FindBusiest(timer.workers());
  if (busiest.times_mean <= kBalanced) return result;
  result.searched = true;

  // A replica that the split does not use gives its slot back.
  std::vector<int32_t> free(slots.begin(), slots.end());
  std::vector<Replica> used;
  std::vector<int64_t> tokens;
  for (size_t i = 0; i < planned.size(); ++i) {
    if (timer.tokens()[i] == 0) continue;
    used.push_back(planned[i]);
    tokens.push_back(timer.tokens()[i]);
    --free[planned[i].worker.index()];
  }
  const double mean = static_cast<double>(loads.total_tokens()) /
                      static_cast<double>(loads.num_workers());
  LoadExporter exporter(loads);
  std::vector<Replica> added;
  std::vector<Replica> late;
  for (const double times_mean : kThresholds) {
    if (times_mean >= busiest.times_mean) break;
    for (const bool near_first : {true, false}) {
      exporter.Export({used, tokens, free},
                      static_cast<int64_t>(times_mean * mean) + 1, near_first,
                      added);
      std::vector<Replica> before = std::exchange(late, {});
      // An unused replica that is wanted after all was sent ahead.
      std::set_difference(added.begin(), added.end(), planned.begin(),
                          planned.end(), std::back_inserter(late));
      if (late.empty() || late == before) continue;
      const double time_us = timer.TimeUs(planned, late, best_us);
      if (time_us >= best_us) continue;
      best_us = time_us;
      result.lends = timer.lends();
    }
  }
  return result;
}

}  // namespace balancemoe
