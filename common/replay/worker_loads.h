#ifndef BALANCEMOE_COMMON_REPLAY_WORKER_LOADS_H_
#define BALANCEMOE_COMMON_REPLAY_WORKER_LOADS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/planning/load_matrix.h"
#include "common/replay/trace.h"

namespace balancemoe {

// The loads of a record as `workers` workers would route them, [W, E]: equal
// runs of consecutive ranks form a worker, or workers share a rank evenly. A
// trace that does not know the sources (0 ranks) is spread evenly. Remainders
// go to the lowest ranks. CheckSources must have passed.
LoadMatrix WorkerLoads(const TraceRecord& record, int32_t ranks,
                       int32_t workers);

// Errors: InvalidArgument when neither the trace's ranks divide into `workers`
// nor the other way round.
absl::Status CheckSources(const Trace& trace, int32_t workers);

int64_t CountIterations(const std::vector<const TraceRecord*>& records);
int64_t CountLayers(const std::vector<const TraceRecord*>& records);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_REPLAY_WORKER_LOADS_H_
