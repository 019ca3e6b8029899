#include "common/planning/top_up.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "common/planning/load_export.h"
#include "common/planning/replica_timer.h"

namespace balancemoe {
namespace {

// Nothing more pays when no worker has more than this many times the mean.
constexpr double kBalanced = 1.01;
// Times the mean load, above which workers export.
constexpr double kThresholds[] = {1.0, 1.05, 1.15, 1.4, 2.0};

class TopUpSearch {
 public:
  TopUpSearch(const LayerLoads& loads, const CostModel& cost,
              absl::Span<const int32_t> slots,
              absl::Span<const Replica> planned)
      : loads_(loads),
        planned_(planned),
        mean_(static_cast<double>(loads.total_tokens()) /
              static_cast<double>(loads.num_workers())),
        free_(slots.begin(), slots.end()),
        timer_(loads, cost) {
    timer_.Split(planned, {});
    result_.lends = timer_.lends();
    result_.planned = planned.size();
  }

  bool IsBalanced() const {
    return static_cast<double>(timer_.peak_tokens()) <= kBalanced * mean_;
  }

  void Run() {
    result_.searched = true;
    const double peak = static_cast<double>(timer_.peak_tokens());
    FindUsed();
    best_us_ = timer_.TimeUs(planned_, {});
    LoadExporter exporter(loads_);
    std::vector<Replica> added;
    for (const double times_mean : kThresholds) {
      const double threshold = times_mean * mean_;
      if (threshold >= peak) break;
      for (const bool near_first : {true, false}) {
        // On one node everybody is near.
        if (near_first && loads_.num_nodes() == 1) continue;
        exporter.Export({used_, tokens_, free_},
                        static_cast<int64_t>(threshold) + 1, near_first, added);
        // Higher thresholds make fewer copies, which rarely help where these
        // did not, and each set takes as long as the split itself.
        if (!Try(added)) return;
      }
    }
  }

  TopUpResult Take() { return std::move(result_); }

 private:
  // A replica that the split does not use gives its slot back.
  void FindUsed() {
    for (size_t i = 0; i < planned_.size(); ++i) {
      if (timer_.tokens()[i] == 0) continue;
      used_.push_back(planned_[i]);
      tokens_.push_back(timer_.tokens()[i]);
      --free_[planned_[i].worker.index()];
    }
  }

  // Whether the layer is faster with `added` than with any set before.
  bool Try(const std::vector<Replica>& added) {
    const std::vector<Replica> before = std::exchange(late_, {});
    // An unused replica that is wanted after all was sent ahead.
    std::set_difference(added.begin(), added.end(), planned_.begin(),
                        planned_.end(), std::back_inserter(late_));
    if (late_.empty() || late_ == before) return false;
    const double time_us = timer_.TimeUs(planned_, late_, best_us_);
    if (time_us >= best_us_) return false;
    best_us_ = time_us;
    result_.lends = timer_.lends();
    return true;
  }

  const LayerLoads& loads_;
  const absl::Span<const Replica> planned_;
  const double mean_;
  // [W]
  std::vector<int32_t> free_;
  ReplicaTimer timer_;
  // Planned replicas with tokens, and how many.
  std::vector<Replica> used_;
  std::vector<int64_t> tokens_;
  std::vector<Replica> late_;
  double best_us_ = std::numeric_limits<double>::infinity();
  TopUpResult result_;
};

}  // namespace

TopUpResult TopUp(const LayerLoads& loads, const CostModel& cost,
                  absl::Span<const int32_t> slots,
                  absl::Span<const Replica> planned) {
  TopUpSearch search(loads, cost, slots, planned);
  if (!search.IsBalanced()) search.Run();
  return search.Take();
}

}  // namespace balancemoe
