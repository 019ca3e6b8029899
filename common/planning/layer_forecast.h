#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_FORECAST_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_FORECAST_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_timing.h"
#include "common/planning/plan.h"

namespace balancemoe {

// What is transferred and computed away from home in one layer.
struct LayerUse {
  // Their `to` is the home that the loads know.
  absl::Span<const Move> moves = {};
  // Exact tokens or kAllTokens, in the order of travel. The lends of an expert
  // stand together, but for top-ups, which follow the planned ones.
  absl::Span<const Lend> lends = {};
  // So many of the lends, and the moves or not, were planned ahead.
  size_t early_lends = 0;
  bool early_moves = false;
  // Planning on the critical path.
  double planning_us = 0;
};

// Turns lends into the work of each worker, and times it. Keeps scratch memory
// between calls: not thread-safe.
class LayerForecaster {
 public:
  // `cost` must be valid.
  explicit LayerForecaster(const CostModel& cost) : cost_(cost), timer_(cost) {}

  // Takes time in W per lent expert. The result is good until the next call.
  const LayerTiming& Time(const LayerLoads& loads, const LayerUse& use);

  // [W], under the use last timed.
  const std::vector<WorkerTokens>& workers() const { return workers_; }
  const LayerWork& work() const { return work_; }

 private:
  void ShareTokens(const LayerLoads& loads, absl::Span<const Lend> lends);
  void AddMoves(const LayerLoads& loads, const LayerUse& use);
  void AddLends(const LayerLoads& loads, absl::Span<const Lend> lends,
                bool early);

  const CostModel cost_;
  LayerTimer timer_;
  LayerWork work_;
  LayerTiming timing_;
  std::vector<WorkerTokens> workers_;
  // Expert and lend, so that the lends of one expert come together.
  std::vector<std::pair<ExpertId, size_t>> by_expert_;
  std::vector<ExpertShare> shares_;
};

// The layer's time under lends planned inline, with exact tokens or
// kAllTokens.
LayerTiming TimeLayer(const LayerLoads& loads, const CostModel& cost,
                      absl::Span<const Lend> lends);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_FORECAST_H_
