#include "common/planning/ultraep_policy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/load_order.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {
namespace {

// One attempt to bring every worker under a threshold.
class Exports {
 public:
  Exports(const LayerLoads& loads, const std::vector<int32_t>& slots,
          int64_t threshold)
      : loads_(loads), free_slots_(slots) {
    for (const WorkerTokens& worker : loads.workers()) {
      slack_.push_back(threshold - worker.computed);
    }
  }

  // False when some of the worker's excess finds no place.
  bool Relieve(WorkerRank worker, absl::Span<const ExpertId> largest_first) {
    int64_t excess = -slack_[worker.index()];
    for (const ExpertId expert : largest_first) {
      if (excess <= 0) return true;
      if (loads_.home(expert) == worker) Export(expert, excess);
    }
    return excess <= 0;
  }

  std::vector<Lend>& lends() { return lends_; }

 private:
  // Reduces `excess` by what it exports.
  void Export(ExpertId expert, int64_t& excess) {
    int64_t tokens = loads_.TokensOfExpert(expert);
    std::vector<bool> has_copy(slack_.size());
    while (excess > 0 && tokens > 0) {
      const WorkerRank to = MostSlack(has_copy);
      const int64_t quota = std::min({excess, slack_[to.index()], tokens});
      if (has_copy[to.index()] || free_slots_[to.index()] == 0 ||
          quota < UltraEpPolicy::kLeastQuota) {
        return;
      }
      has_copy[to.index()] = true;
      --free_slots_[to.index()];
      slack_[to.index()] -= quota;
      excess -= quota;
      tokens -= quota;
      lends_.push_back({expert, loads_.home(expert), to, quota});
    }
  }

  WorkerRank MostSlack(const std::vector<bool>& has_copy) const {
    size_t best = 0;
    const auto usable = [&](size_t i) {
      return !has_copy[i] && free_slots_[i] > 0;
    };
    for (size_t i = 1; i < slack_.size(); ++i) {
      if (!usable(i)) continue;
      if (!usable(best) || slack_[i] > slack_[best]) best = i;
    }
    return WorkerRank(static_cast<int32_t>(best));
  }

  const LayerLoads& loads_;
  std::vector<Lend> lends_;
  // [W]
  std::vector<int64_t> slack_;
  std::vector<int32_t> free_slots_;
};

std::vector<int32_t> SlotsOf(const LayerSnapshot& snapshot) {
  std::vector<int32_t> slots = UsableSlots(snapshot);
  for (int32_t& count : slots) count = std::min(count, UltraEpPolicy::kSlots);
  return slots;
}

std::optional<std::vector<Lend>> ExportsUnder(
    int64_t threshold, const LayerLoads& loads,
    const std::vector<int32_t>& slots) {
  const std::vector<ExpertId> experts = ExpertsByLoad(loads.tokens_of_expert());
  Exports exports(loads, slots, threshold);
  for (const WorkerRank worker : WorkersByLoad(loads.workers())) {
    if (!exports.Relieve(worker, experts)) return std::nullopt;
  }
  return std::move(exports.lends());
}

// Under the lowest threshold, from `lowest` up to the busiest worker's load,
// that a binary search finds.
std::vector<Lend> SearchExports(int64_t lowest, const LayerLoads& loads,
                                const std::vector<int32_t>& slots) {
  int64_t low = lowest;
  int64_t high = FindBusiest(loads.workers()).tokens;
  std::vector<Lend> best;
  while (low <= high) {
    const int64_t threshold =
        low == lowest && best.empty() ? low : low + (high - low) / 2;
    std::optional<std::vector<Lend>> lends =
        ExportsUnder(threshold, loads, slots);
    if (lends.has_value()) {
      best = *std::move(lends);
      high = threshold - 1;
    } else {
      low = threshold + 1;
    }
  }
  return best;
}

}  // namespace

LayerPlan UltraEpPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  const double mean = static_cast<double>(loads.total_tokens()) /
                      static_cast<double>(loads.num_workers());
  const auto lowest = static_cast<int64_t>(std::ceil(kTolerated * mean));
  LayerPlan plan;
  plan.fan_out = FanOut::kOneByOne;
  plan.searched = FindBusiest(loads.workers()).tokens > lowest;
  if (plan.searched) {
    plan.lends = SearchExports(lowest, loads, SlotsOf(snapshot));
    SortByExpert(plan.lends);
  }
  ForecastPlan(snapshot, loads, TransferStart::kWithLayer,
               {"lends", plan.searched ? "no slot can take its excess"
                                       : "1.01 times is tolerated"},
               plan);
  return plan;
}

}  // namespace balancemoe
