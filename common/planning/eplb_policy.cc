#include "common/planning/eplb_policy.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "common/planning/layer_loads.h"
#include "common/planning/load_order.h"
#include "common/planning/plan_forecast.h"

namespace balancemoe {
namespace {

// How many replicas each expert gets, home's own among them, [E].
std::vector<int64_t> CountReplicas(const LayerLoads& loads, int64_t spare) {
  std::vector<int64_t> replicas(loads.tokens_of_expert().size(), 1);
  const auto tokens_each = [&](size_t e) {
    return static_cast<double>(loads.tokens_of_expert()[e]) /
           static_cast<double>(replicas[e]);
  };
  for (; spare > 0; --spare) {
    size_t most = 0;
    for (size_t e = 1; e < replicas.size(); ++e) {
      if (tokens_each(e) > tokens_each(most)) most = e;
    }
    ++replicas[most];
  }
  return replicas;
}

// Replicas on workers that have equally many places.
class Packing {
 public:
  Packing(const LayerSnapshot& snapshot, const LayerLoads& loads)
      : loads_(loads),
        replicas_(CountReplicas(
            loads, EplbPolicy::kSparePerWorker * loads.num_workers())),
        free_slots_(UsableSlots(snapshot)) {
    const int64_t workers = loads.num_workers();
    const int64_t places = EplbPolicy::kSparePerWorker +
                           (loads.num_experts() + workers - 1) / workers;
    free_places_.assign(static_cast<size_t>(workers), places);
    tokens_.resize(static_cast<size_t>(workers));
    packed_.assign(static_cast<size_t>(workers),
                   std::vector<int64_t>(replicas_.size()));
  }

  void PackAll() {
    std::vector<ExpertId> order;
    for (size_t e = 0; e < replicas_.size(); ++e) {
      order.insert(order.end(), static_cast<size_t>(replicas_[e]),
                   ExpertId(static_cast<int32_t>(e)));
    }
    std::stable_sort(order.begin(), order.end(), [&](ExpertId a, ExpertId b) {
      return TokensEach(a) > TokensEach(b);
    });
    for (const ExpertId expert : order) Pack(expert);
  }

  // The expert's replicas away from home, with even shares for all.
  void AppendLends(ExpertId expert, std::vector<Lend>& lends) const {
    const WorkerRank home = loads_.home(expert);
    const int64_t replicas = replicas_[expert.index()];
    // Running sums, so that the shares add up to the whole where home has none.
    int64_t given = 0;
    for (size_t i = 0; i < packed_.size(); ++i) {
      const int64_t here = packed_[i][expert.index()];
      const WorkerRank worker(static_cast<int32_t>(i));
      if (here == 0 || worker == home) continue;
      lends.push_back({expert, home, worker,
                       kShareUnit * (given + here) / replicas -
                           kShareUnit * given / replicas});
      given += here;
    }
  }

 private:
  double TokensEach(ExpertId expert) const {
    return static_cast<double>(loads_.TokensOfExpert(expert)) /
           static_cast<double>(replicas_[expert.index()]);
  }

  bool CanTake(size_t worker, ExpertId expert) const {
    return free_places_[worker] > 0 &&
           (worker == loads_.home(expert).index() ||
            packed_[worker][expert.index()] > 0 || free_slots_[worker] > 0);
  }

  // Home computes what nobody has room for.
  void Pack(ExpertId expert) {
    const size_t home = loads_.home(expert).index();
    size_t best = home;
    bool found = false;
    for (size_t i = 0; i < packed_.size(); ++i) {
      if (!CanTake(i, expert)) continue;
      if (!found || tokens_[i] < tokens_[best]) best = i;
      found = true;
    }
    if (best != home && packed_[best][expert.index()] == 0) {
      --free_slots_[best];
    }
    ++packed_[best][expert.index()];
    --free_places_[best];
    tokens_[best] += TokensEach(expert);
  }

  const LayerLoads& loads_;
  // [E]
  const std::vector<int64_t> replicas_;
  // [W]
  std::vector<int32_t> free_slots_;
  std::vector<int64_t> free_places_;
  std::vector<double> tokens_;
  // Replicas on each worker, [W][E].
  std::vector<std::vector<int64_t>> packed_;
};

// Nothing before the first iteration has ended. [E]
std::vector<int64_t> LastTokens(const LayerSnapshot& snapshot) {
  if (snapshot.history.empty()) {
    return std::vector<int64_t>(snapshot.home_of_expert.size());
  }
  return snapshot.history.back().tokens_of_expert;
}

}  // namespace

LayerPlan EplbPolicy::Decide(const LayerSnapshot& snapshot) const {
  const LayerLoads loads(LastTokens(snapshot), snapshot.num_workers(),
                         snapshot.home_of_expert, snapshot.node_of_worker);
  LayerPlan plan;
  plan.split = SplitRule::kShares;
  if (loads.total_tokens() > 0) {
    Packing packing(snapshot, loads);
    packing.PackAll();
    for (int32_t e = 0; e < loads.num_experts(); ++e) {
      packing.AppendLends(ExpertId(e), plan.lends);
    }
  }
  ForecastPlan(snapshot, loads, TransferStart::kEarly,
               {"lends", "no replica found a place away from home"}, plan);
  return plan;
}

}  // namespace balancemoe
