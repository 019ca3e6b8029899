#include "common/planning/llep_policy.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "common/planning/layer_loads.h"
#include "common/planning/load_order.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {
namespace {

// Spills experts over, one after the other.
class Spill {
 public:
  Spill(const LayerSnapshot& snapshot, const LayerLoads& loads)
      : loads_(loads),
        limit_(loads.total_tokens() / loads.num_workers()),
        free_slots_(UsableSlots(snapshot)) {
    for (const WorkerTokens& worker : loads.workers()) {
      load_.push_back(worker.computed);
    }
  }

  // Home keeps what fits. Experts that home has not been asked about yet count
  // as staying.
  void Place(ExpertId expert, std::vector<Lend>& lends) {
    const WorkerRank home = loads_.home(expert);
    const int64_t tokens = loads_.TokensOfExpert(expert);
    int64_t left = std::clamp<int64_t>(load_[home.index()] - limit_, 0, tokens);
    load_[home.index()] -= left;
    lent_.assign(load_.size(), false);
    while (left > 0) {
      const Chunk chunk = NextChunk(left, home);
      if (chunk.tokens == 0) break;
      const size_t worker = chunk.worker.index();
      lent_[worker] = true;
      --free_slots_[worker];
      load_[worker] += chunk.tokens;
      left -= chunk.tokens;
      lends.push_back({expert, home, chunk.worker, chunk.tokens});
    }
    load_[home.index()] += left;
  }

 private:
  struct Chunk {
    WorkerRank worker;
    int64_t tokens = 0;
  };

  // For the least loaded worker that can take one; the whole rest where the
  // room left is too small for a chunk.
  Chunk NextChunk(int64_t left, WorkerRank home) const {
    Chunk best;
    for (size_t i = 0; i < load_.size(); ++i) {
      if (i == home.index() || lent_[i] || free_slots_[i] == 0) continue;
      const int64_t room = limit_ - load_[i];
      if (room <= 0) continue;
      if (best.tokens > 0 && load_[i] >= load_[best.worker.index()]) continue;
      best = {WorkerRank(static_cast<int32_t>(i)),
              room < LlepPolicy::kLeastChunk ? left : std::min(left, room)};
    }
    return best;
  }

  const LayerLoads& loads_;
  const int64_t limit_;
  // [W]
  std::vector<int64_t> load_;
  std::vector<int32_t> free_slots_;
  // Whether each worker has the present expert already.
  std::vector<bool> lent_;
};

}  // namespace

LayerPlan LlepPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads = KnownLoads(snapshot);
  LayerPlan plan;
  plan.fan_out = FanOut::kOneByOne;
  plan.searched = FindBusiest(loads.workers()).times_mean >= kTolerated;
  if (plan.searched) {
    Spill spill(snapshot, loads);
    for (const ExpertId expert : ExpertsByLoad(loads.tokens_of_expert())) {
      spill.Place(expert, plan.lends);
    }
    SortByExpert(plan.lends);
  }
  ForecastPlan(snapshot, loads, TransferStart::kWithLayer,
               {"lends", plan.searched ? "nothing can spill over"
                                       : "under 1.30 times is tolerated"},
               plan);
  return plan;
}

}  // namespace balancemoe
