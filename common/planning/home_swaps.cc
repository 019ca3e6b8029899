#include "common/planning/home_swaps.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace balancemoe {
namespace {

// A swap that takes less than this off the heaviest group, in parts of the mean
// load of a group, is not worth the trouble.
constexpr double kLeastGain = 0.02;

// Levels the tokens of groups of workers by swapping homes.
class HomeBalancer {
 public:
  // `group_of_worker` [W]; `tokens_of_expert` [E], what counts of each; only
  // experts that are `movable` [E] change places.
  HomeBalancer(const LayerLoads& loads, std::vector<size_t> group_of_worker,
               std::vector<int64_t> tokens_of_expert, std::vector<bool> movable)
      : loads_(loads),
        group_of_worker_(std::move(group_of_worker)),
        tokens_(std::move(tokens_of_expert)),
        movable_(std::move(movable)),
        sums_(1 + *std::max_element(group_of_worker_.begin(),
                                    group_of_worker_.end())),
        mean_(static_cast<double>(loads.total_tokens()) /
              static_cast<double>(sums_.size())) {
    for (size_t e = 0; e < tokens_.size(); ++e) {
      homes_.push_back(loads.home(ExpertId(static_cast<int32_t>(e))));
      sums_[GroupOf(e)] += tokens_[e];
    }
  }

  std::vector<Move> Swap(int most_swaps) {
    for (int swap = 0; swap < most_swaps && SwapOnce(); ++swap) {
    }
    std::vector<Move> moves;
    for (size_t e = 0; e < homes_.size(); ++e) {
      const ExpertId expert(static_cast<int32_t>(e));
      if (homes_[e] == loads_.home(expert)) continue;
      moves.push_back({expert, loads_.home(expert), homes_[e]});
    }
    return moves;
  }

 private:
  size_t GroupOf(size_t expert) const {
    return group_of_worker_[homes_[expert].index()];
  }

  // Swaps the pair that brings the heaviest and the lightest group closest;
  // false when that gains too little.
  bool SwapOnce() {
    const auto [light, heavy] = std::minmax_element(sums_.begin(), sums_.end());
    const auto from = static_cast<size_t>(heavy - sums_.begin());
    const auto to = static_cast<size_t>(light - sums_.begin());
    // Moving half the difference would level the two.
    const int64_t wanted = (*heavy - *light) / 2;
    int64_t best_miss = wanted;
    size_t giver = 0;
    size_t taker = 0;
    for (size_t a = 0; a < homes_.size(); ++a) {
      if (GroupOf(a) != from || !movable_[a]) continue;
      for (size_t b = 0; b < homes_.size(); ++b) {
        if (GroupOf(b) != to || !movable_[b]) continue;
        const int64_t miss = std::abs(tokens_[a] - tokens_[b] - wanted);
        if (miss >= best_miss) continue;
        best_miss = miss;
        giver = a;
        taker = b;
      }
    }
    if (static_cast<double>(wanted - best_miss) <= kLeastGain * mean_) {
      return false;
    }
    const int64_t tokens = tokens_[giver] - tokens_[taker];
    sums_[from] -= tokens;
    sums_[to] += tokens;
    std::swap(homes_[giver], homes_[taker]);
    return true;
  }

  const LayerLoads& loads_;
  const std::vector<size_t> group_of_worker_;
  const std::vector<int64_t> tokens_;
  const std::vector<bool> movable_;
  // [G], of the experts of each group.
  std::vector<int64_t> sums_;
  const double mean_;
  std::vector<WorkerRank> homes_;
};

}  // namespace

std::vector<Move> BalanceNodes(const LayerLoads& loads, int most_swaps) {
  std::vector<size_t> nodes;
  for (int32_t w = 0; w < loads.num_workers(); ++w) {
    nodes.push_back(static_cast<size_t>(loads.node(WorkerRank(w))));
  }
  return HomeBalancer(
             loads, std::move(nodes), loads.tokens_of_expert(),
             std::vector<bool>(static_cast<size_t>(loads.num_experts()), true))
      .Swap(most_swaps);
}

std::vector<Move> BalanceArrivals(const LayerLoads& loads,
                                  absl::Span<const Replica> replicas,
                                  int most_swaps) {
  std::vector<size_t> workers;
  for (int32_t w = 0; w < loads.num_workers(); ++w) {
    workers.push_back(static_cast<size_t>(w));
  }
  std::vector<int64_t> tokens = loads.tokens_of_expert();
  std::vector<bool> alone(tokens.size(), true);
  for (const Replica& replica : replicas) {
    tokens[replica.expert.index()] = 0;
    alone[replica.expert.index()] = false;
  }
  return HomeBalancer(loads, std::move(workers), std::move(tokens),
                      std::move(alone))
      .Swap(most_swaps);
}

}  // namespace balancemoe
