#include "common/planning/fewest_lends.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

#include "common/planning/quota_split.h"

namespace balancemoe {
namespace {

// The lends are planned as if this much more than the target were allowed; the
// exact split often makes up for it.
constexpr double kLeeway[] = {1.0, 1.005, 1.01, 1.02, 1.03, 1.05};

// Pairs workers that have too much with workers that have room. An exporter's
// last piece goes to whoever it fits best, so that a receiver seldom gets
// pieces of two.
class PieceFitter {
 public:
  PieceFitter(absl::Span<const int64_t> tokens_of_expert,
              absl::Span<const WorkerRank> home_of_expert,
              absl::Span<const int32_t> slots, int64_t limit)
      : homes_(home_of_expert),
        slots_(slots.begin(), slots.end()),
        room_(slots.size(), limit),
        at_home_(tokens_of_expert.begin(), tokens_of_expert.end()) {
    for (size_t e = 0; e < at_home_.size(); ++e) {
      room_[homes_[e].index()] -= at_home_[e];
    }
  }

  std::vector<Replica> Fit() {
    std::vector<Replica> lends;
    while (true) {
      const auto exporter = static_cast<size_t>(
          std::min_element(room_.begin(), room_.end()) - room_.begin());
      if (room_[exporter] >= 0) break;
      const size_t receiver = FindReceiver(-room_[exporter]);
      if (receiver == kNobody) break;
      const size_t expert = FindExpert(exporter, receiver, lends);
      if (expert == kNobody) break;
      const int64_t tokens =
          std::min({-room_[exporter], room_[receiver], at_home_[expert]});
      room_[exporter] += tokens;
      room_[receiver] -= tokens;
      at_home_[expert] -= tokens;
      --slots_[receiver];
      lends.push_back({ExpertId(static_cast<int32_t>(expert)),
                       WorkerRank(static_cast<int32_t>(receiver))});
    }
    std::sort(lends.begin(), lends.end());
    return lends;
  }

 private:
  static constexpr size_t kNobody = std::numeric_limits<size_t>::max();

  // The one with the least room that takes all; else the one with the most.
  size_t FindReceiver(int64_t excess) const {
    size_t best = kNobody;
    for (size_t i = 0; i < room_.size(); ++i) {
      if (room_[i] <= 0 || slots_[i] <= 0) continue;
      if (best == kNobody) {
        best = i;
        continue;
      }
      const bool fits = room_[i] >= excess;
      const bool best_fits = room_[best] >= excess;
      const bool better =
          fits && best_fits ? room_[i] < room_[best] : room_[i] > room_[best];
      if (better) best = i;
    }
    return best;
  }

  // The exporter's largest expert that the receiver does not hold already.
  size_t FindExpert(size_t exporter, size_t receiver,
                    const std::vector<Replica>& lends) const {
    size_t best = kNobody;
    for (size_t e = 0; e < at_home_.size(); ++e) {
      const ExpertId expert(static_cast<int32_t>(e));
      if (homes_[e].index() != exporter || at_home_[e] == 0) continue;
      if (best != kNobody && at_home_[e] <= at_home_[best]) continue;
      const Replica lend = {expert, WorkerRank(static_cast<int32_t>(receiver))};
      if (std::find(lends.begin(), lends.end(), lend) != lends.end()) continue;
      best = e;
    }
    return best;
  }

  const absl::Span<const WorkerRank> homes_;
  std::vector<int32_t> slots_;
  // [W], below zero: excess.
  std::vector<int64_t> room_;
  // [E]
  std::vector<int64_t> at_home_;
};

// Rounded up, so that a target of 1 can be met.
int64_t PeakFor(absl::Span<const int64_t> tokens_of_expert, int32_t num_workers,
                double target_imbalance) {
  const int64_t total = std::accumulate(tokens_of_expert.begin(),
                                        tokens_of_expert.end(), int64_t{0});
  return static_cast<int64_t>(target_imbalance * static_cast<double>(total) /
                              num_workers) +
         1;
}

// Takes lends away, the lightest first, as long as the exact split holds the
// peak. False when it does not even with all of them.
bool DropNeedless(const LayerLoads& loads, int64_t peak,
                  std::vector<Replica>& replicas) {
  QuotaSplitter splitter;
  std::vector<int64_t> tokens;
  splitter.Split(loads, replicas, tokens);
  if (splitter.peak() > peak) return false;
  std::vector<size_t> order(replicas.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return tokens[a] < tokens[b]; });
  std::vector<bool> dropped(replicas.size());
  std::vector<Replica> fewer;
  for (const size_t candidate : order) {
    dropped[candidate] = true;
    fewer.clear();
    for (size_t i = 0; i < replicas.size(); ++i) {
      if (!dropped[i]) fewer.push_back(replicas[i]);
    }
    splitter.Split(loads, fewer, tokens);
    if (splitter.peak() > peak) dropped[candidate] = false;
  }
  fewer.clear();
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (!dropped[i]) fewer.push_back(replicas[i]);
  }
  replicas = fewer;
  return true;
}

std::vector<Lend> WithTokens(const LayerLoads& loads,
                             const std::vector<Replica>& replicas) {
  QuotaSplitter splitter;
  std::vector<int64_t> tokens;
  splitter.Split(loads, replicas, tokens);
  std::vector<Lend> lends;
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (tokens[i] == 0) continue;
    lends.push_back({replicas[i].expert, loads.home(replicas[i].expert),
                     replicas[i].worker, tokens[i]});
  }
  return lends;
}

}  // namespace

std::vector<Lend> FewestLends(const LayerLoads& loads,
                              absl::Span<const int32_t> slots,
                              double target_imbalance) {
  const int64_t peak =
      PeakFor(loads.tokens_of_expert(), loads.num_workers(), target_imbalance);
  std::vector<WorkerRank> homes;
  for (int32_t e = 0; e < loads.num_experts(); ++e) {
    homes.push_back(loads.home(ExpertId(e)));
  }
  const auto fit = [&](double leeway) {
    return PieceFitter(loads.tokens_of_expert(), homes, slots,
                       static_cast<int64_t>(static_cast<double>(peak) * leeway))
        .Fit();
  };
  std::vector<Replica> best = fit(1);
  // The least that slots allow, where they do not allow the target.
  const bool reached = DropNeedless(loads, peak, best);
  for (const double leeway : kLeeway) {
    if (!reached) break;
    std::vector<Replica> replicas = fit(leeway);
    if (replicas.size() >= best.size() + 2) continue;
    if (!DropNeedless(loads, peak, replicas)) continue;
    if (replicas.size() < best.size()) best = std::move(replicas);
  }
  return WithTokens(loads, best);
}

std::vector<Move> SwapForFewerLends(absl::Span<const PastLoads> loads,
                                    absl::Span<const WorkerRank> home_of_expert,
                                    absl::Span<const int32_t> slots,
                                    double target_imbalance) {
  std::vector<WorkerRank> homes(home_of_expert.begin(), home_of_expert.end());
  const auto pieces = [&](const PastLoads& past) {
    return PieceFitter(
               past.tokens_of_expert, homes, slots,
               PeakFor(past.tokens_of_expert,
                       static_cast<int32_t>(slots.size()), target_imbalance))
        .Fit()
        .size();
  };
  std::vector<size_t> most;
  for (const PastLoads& past : loads) {
    const size_t now = pieces(past);
    if (now == 0) return {};
    most.push_back(now - 1);
  }
  for (size_t a = 0; a < homes.size(); ++a) {
    for (size_t b = a + 1; b < homes.size(); ++b) {
      if (homes[a] == homes[b]) continue;
      std::swap(homes[a], homes[b]);
      bool fewer = true;
      for (size_t i = 0; fewer && i < loads.size(); ++i) {
        fewer = pieces(loads[i]) <= most[i];
      }
      if (fewer) {
        return {{ExpertId(static_cast<int32_t>(a)), homes[b], homes[a]},
                {ExpertId(static_cast<int32_t>(b)), homes[a], homes[b]}};
      }
      std::swap(homes[a], homes[b]);
    }
  }
  return {};
}

}  // namespace balancemoe
