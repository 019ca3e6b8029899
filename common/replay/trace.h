#ifndef BALANCEMOE_COMMON_REPLAY_TRACE_H_
#define BALANCEMOE_COMMON_REPLAY_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/planning/load_matrix.h"

namespace balancemoe {

// What one layer's gate routed in one iteration.
struct TraceRecord {
  Iteration iteration;
  LayerId layer;
  // [R, E], token-to-expert assignments by source rank; R is 1 where the trace
  // does not know the sources.
  LoadMatrix tokens;

  bool operator==(const TraceRecord&) const = default;
};

// Expert loads of a run, as recorded. Readers make only traces that hold what
// the comments say.
struct Trace {
  // Of the file, for reports.
  std::string name;
  int32_t num_experts = 0;
  // Source ranks of each record; 0 where records are sums over all sources.
  int32_t num_ranks = 0;
  // Layers that occur, rising.
  std::vector<LayerId> layers;
  // By iteration, then layer; every pair at most once.
  std::vector<TraceRecord> records;

  bool operator==(const Trace&) const = default;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_REPLAY_TRACE_H_
