#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_EXCHANGE_SCHEDULE_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_EXCHANGE_SCHEDULE_H_

#include <cstdint>
#include <vector>

#include "common/ids.h"

namespace balancemoe::worker {

// One send and one receive of a rank.
struct ExchangeStep {
  WorkerRank to;
  WorkerRank from;

  friend bool operator==(const ExchangeStep&, const ExchangeStep&) = default;
};

// An exchange of every rank with every other, in groups of at most `most`
// operations, `most` >= 2. In step k rank r sends to r + k and receives from
// r - k, and all ranks put the same steps into the same group, so that each
// send meets its receive within a group.
std::vector<std::vector<ExchangeStep>> ExchangeGroups(WorkerRank self,
                                                      int32_t world_size,
                                                      int32_t most);

// The peers of `root` in groups of at most `most`, the same on every rank.
std::vector<std::vector<WorkerRank>> BroadcastGroups(WorkerRank root,
                                                     int32_t world_size,
                                                     int32_t most);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_EXCHANGE_SCHEDULE_H_
