#ifndef BALANCEMOE_COMMON_PLANNING_REPLICA_TIMER_H_
#define BALANCEMOE_COMMON_PLANNING_REPLICA_TIMER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"
#include "common/planning/quota_split.h"

namespace balancemoe {

// Times sets of replicas: splits the counts over them and asks the timing rule.
// Keeps scratch memory between calls: not thread-safe.
class ReplicaTimer {
 public:
  // `loads` must outlive this.
  ReplicaTimer(const LayerLoads& loads, const CostModel& cost)
      : loads_(loads), forecaster_(cost) {}

  // Splits the counts over both kinds together, which is half of what timing
  // them takes. The sets are as in TimeUs.
  void Split(absl::Span<const Replica> planned, absl::Span<const Replica> late);

  // The layer's time with `planned` replicas, sent ahead, and `late` ones,
  // which start when dispatch has ended. Both are rising and have nothing in
  // common. Infinity when the time is `give_up_us` or longer for compute and
  // exchanges alone.
  double TimeUs(absl::Span<const Replica> planned,
                absl::Span<const Replica> late,
                double give_up_us = std::numeric_limits<double>::infinity());

  // Of the sets last split or timed: exact tokens, in the order of travel,
  // planned ones first.
  const std::vector<Lend>& lends() const { return lends_; }
  // One per replica of both sets together, rising.
  const std::vector<int64_t>& tokens() const { return tokens_; }
  // The busiest worker's tokens.
  int64_t peak_tokens() const { return splitter_.peak(); }

 private:
  struct Group {
    int64_t tokens = 0;
    size_t begin = 0;
    size_t end = 0;
  };

  void AddLends(absl::Span<const Replica> replicas);

  const LayerLoads& loads_;
  QuotaSplitter splitter_;
  LayerForecaster forecaster_;
  std::vector<Replica> all_;
  std::vector<int64_t> tokens_;
  std::vector<Lend> lends_;
  std::vector<Group> groups_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_REPLICA_TIMER_H_
