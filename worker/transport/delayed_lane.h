#ifndef BALANCEMOE_WORKER_TRANSPORT_DELAYED_LANE_H_
#define BALANCEMOE_WORKER_TRANSPORT_DELAYED_LANE_H_

#include <map>

#include "absl/time/time.h"

namespace balancemoe::worker {

// A link that carries one message at a time, and by which time. Messages may be
// told of in another order than that in which they came: one that came while
// the lane was free does not queue behind later ones. Not thread-safe.
class DelayedLane {
 public:
  // Occupies the lane for `time`, from the first moment on, not before
  // `earliest`, at which it is free for so long; returns this moment. Gaps
  // before the last thousand times it was busy are forgotten.
  absl::Time Take(absl::Time earliest, absl::Duration time);

 private:
  // From when until when it is busy; what touches is one.
  std::map<absl::Time, absl::Time> busy_;
  absl::Time forgotten_until_ = absl::InfinitePast();
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_DELAYED_LANE_H_
