#ifndef BALANCEMOE_COMMON_REPLAY_REPLAY_STATISTICS_H_
#define BALANCEMOE_COMMON_REPLAY_REPLAY_STATISTICS_H_

#include <cstdint>
#include <vector>

#include "common/ids.h"
#include "common/replay/replay_report.h"
#include "common/replay/replayed_layer.h"

namespace balancemoe {

// Sums up the decisions of one policy.
class ReplayStatistics {
 public:
  // `tokens` are those of the whole decision. Iterations come in order.
  void Add(Iteration iteration, const ReplayedDecision& decision,
           int64_t tokens);

  // All but names and speed-up. At least one decision must have been added.
  PolicyReplay Summary() const;

 private:
  struct Entry {
    Iteration iteration;
    ReplayedDecision decision;
    int64_t tokens = 0;
  };

  std::vector<Entry> entries_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_REPLAY_REPLAY_STATISTICS_H_
