#ifndef BALANCEMOE_COMMON_REPLAY_REPLAYED_LAYER_H_
#define BALANCEMOE_COMMON_REPLAY_REPLAYED_LAYER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/lend_quotas.h"
#include "common/planning/policy.h"
#include "common/planning/profile.h"
#include "common/planning/quota_split.h"

namespace balancemoe {

// What happened in one layer of one iteration.
struct ReplayedDecision {
  int64_t moves = 0;
  // Lends that were not in place in the iteration before, and those that were.
  int64_t new_lends = 0;
  int64_t renewals = 0;
  double bytes = 0;
  double layer_us = 0;
  double exposed_transfer_us = 0;
  // Over workers: the most tokens, the most bytes, max over mean tokens.
  int64_t peak_tokens = 0;
  double peak_memory_bytes = 0;
  double imbalance = 1;
  double energy_j = 0;
  double solve_us = 0;
};

// One layer of a model under one policy, iteration after iteration: what the
// coordinator and the workers would do, with the timing rule in place of the
// machines.
class ReplayedLayer {
 public:
  struct Setup {
    PolicyChoice choice;
    PolicyOptions options;
    int32_t workers = 0;
    int32_t experts = 0;
    // Spare ones of each worker.
    int32_t slots = 0;
    Profile profile;
  };

  // `policy` and `clock` must outlive this.
  ReplayedLayer(const Setup& setup, const Policy& policy, const Clock& clock);

  // `tokens` are the exact counts, [W, E]; iterations rise from call to call.
  ReplayedDecision Next(Iteration iteration, const LoadMatrix& tokens);

  // After Next: tokens of each expert that each worker computed, by expert,
  // then worker; only where there are some.
  struct Share {
    ExpertId expert;
    WorkerRank worker;
    int64_t tokens = 0;
  };
  std::vector<Share> Shares() const;

 private:
  LayerPlan Plan(Iteration iteration, const LoadMatrix& tokens);
  void ApplyPlan(const LayerLoads& loads, LayerPlan& plan);
  void TimeLayer(const LayerLoads& loads, const LayerPlan& plan,
                 ReplayedDecision& decision);
  double PeakMemoryBytes() const;
  double EnergyJ(double layer_us) const;
  void CountTransfers(const LayerPlan& plan, ReplayedDecision& decision) const;
  void Remember(Iteration iteration, const LayerLoads& loads);

  const Setup setup_;
  const Policy& policy_;
  const Clock& clock_;
  const bool inline_;
  LayerSnapshot snapshot_;
  QuotaSplitter splitter_;
  LayerForecaster forecaster_;
  // Of the last iteration: with exact tokens; planned ones first.
  std::vector<Lend> lends_;
  size_t planned_lends_ = 0;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_REPLAY_REPLAYED_LAYER_H_
