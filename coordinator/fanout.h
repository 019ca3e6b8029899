#ifndef BALANCEMOE_COORDINATOR_FANOUT_H_
#define BALANCEMOE_COORDINATOR_FANOUT_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "coordinator/session_stream.h"

namespace balancemoe::coordinator {

// One message on its way to many sessions.
//
// The thread that begins sends to one session after the other, and whoever
// learns meanwhile that one of these writes is done helps. With a single sender
// every completion would wake a thread of gRPC that has nothing to do but to
// note it and would sleep again before the next.
//
// A helper may be late: what it sends can come after a message that was pushed
// later. Workers refuse plans of another iteration, so that costs at most that
// plan. Thread-safe.
class Fanout : public std::enable_shared_from_this<Fanout> {
 public:
  Fanout(Outbound message, std::vector<std::shared_ptr<SessionStream>> to)
      : message_(std::move(message)), to_(std::move(to)) {}

  // Sends to the sessions that nobody has taken yet.
  void Continue();

 private:
  const Outbound message_;
  const std::vector<std::shared_ptr<SessionStream>> to_;
  std::atomic<size_t> next_ = 0;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_FANOUT_H_
