#ifndef BALANCEMOE_COMMON_FENCING_H_
#define BALANCEMOE_COMMON_FENCING_H_

#include "common/ids.h"

namespace balancemoe {

// Who speaks, and in which life of everything: travels with each message, so
// that whatever a former worker, coordinator or group still has to say is
// refused.
struct Fencing {
  JobId job_id;
  WorkerRank rank;
  SessionId session;
  JobEpoch epoch;
  Incarnation coordinator;
  Incarnation worker;
  Generation generation;

  bool operator==(const Fencing&) const = default;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_FENCING_H_
