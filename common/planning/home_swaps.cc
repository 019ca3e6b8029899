#include "common/planning/home_swaps.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>

namespace balancemoe {
namespace {

// A swap that takes less than this off the heaviest node, in parts of the mean,
// is not worth the trouble.
constexpr double kLeastGain = 0.05;

class NodeBalancer {
 public:
  explicit NodeBalancer(const LayerLoads& loads) : loads_(loads) {
    int32_t nodes = 1;
    for (int32_t w = 0; w < loads.num_workers(); ++w) {
      nodes = std::max(nodes, loads.node(WorkerRank(w)) + 1);
    }
    tokens_.resize(static_cast<size_t>(nodes));
    for (int32_t e = 0; e < loads.num_experts(); ++e) {
      homes_.push_back(loads.home(ExpertId(e)));
      tokens_[NodeOf(static_cast<size_t>(e))] +=
          loads.TokensOfExpert(ExpertId(e));
    }
    mean_ = static_cast<double>(loads.total_tokens()) / nodes;
  }

  // Swaps the pair that lowers the heaviest node most; false when none does
  // enough.
  bool Swap() {
    const auto [light, heavy] =
        std::minmax_element(tokens_.begin(), tokens_.end());
    const auto from = static_cast<size_t>(heavy - tokens_.begin());
    const auto to = static_cast<size_t>(light - tokens_.begin());
    if (from == to) return false;
    // Moving half the difference would level the two.
    const int64_t wanted = (*heavy - *light) / 2;
    int64_t best_miss = wanted;
    size_t giver = 0;
    size_t taker = 0;
    for (size_t a = 0; a < homes_.size(); ++a) {
      if (NodeOf(a) != from) continue;
      for (size_t b = 0; b < homes_.size(); ++b) {
        if (NodeOf(b) != to) continue;
        const int64_t miss = std::abs(Tokens(a) - Tokens(b) - wanted);
        if (miss >= best_miss) continue;
        best_miss = miss;
        giver = a;
        taker = b;
      }
    }
    const double gain = static_cast<double>(wanted - best_miss);
    if (gain < kLeastGain * mean_) return false;
    const int64_t tokens = Tokens(giver) - Tokens(taker);
    tokens_[from] -= tokens;
    tokens_[to] += tokens;
    std::swap(homes_[giver], homes_[taker]);
    return true;
  }

  std::vector<Move> Moves() const {
    std::vector<Move> moves;
    for (size_t e = 0; e < homes_.size(); ++e) {
      const ExpertId expert(static_cast<int32_t>(e));
      if (homes_[e] == loads_.home(expert)) continue;
      moves.push_back({expert, loads_.home(expert), homes_[e]});
    }
    return moves;
  }

 private:
  size_t NodeOf(size_t expert) const {
    return static_cast<size_t>(loads_.node(homes_[expert]));
  }
  int64_t Tokens(size_t expert) const {
    return loads_.tokens_of_expert()[expert];
  }

  const LayerLoads& loads_;
  std::vector<WorkerRank> homes_;
  // Of the experts of each node.
  std::vector<int64_t> tokens_;
  double mean_ = 0;
};

}  // namespace

std::vector<Move> BalanceNodes(const LayerLoads& loads, int most_swaps) {
  NodeBalancer balancer(loads);
  for (int swap = 0; swap < most_swaps && balancer.Swap(); ++swap) {
  }
  return balancer.Moves();
}

}  // namespace balancemoe
