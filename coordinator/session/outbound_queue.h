#ifndef BALANCEMOE_COORDINATOR_SESSION_OUTBOUND_QUEUE_H_
#define BALANCEMOE_COORDINATOR_SESSION_OUTBOUND_QUEUE_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/ids.h"

namespace balancemoe::coordinator {

// The bytes of a message, serialised once. Shared, because the writes of many
// sessions end its life, in any order.
using Payload = std::shared_ptr<const std::string>;

// A message on its way to a worker.
struct Outbound {
  enum class Kind { kPlan, kStepPlan, kHeartbeat, kConfigUpdate, kNotice };

  Kind kind = Kind::kNotice;
  // For kPlan.
  LayerId layer;
  Payload payload;
};

// What waits for a worker to read. The newest wins: a plan takes the place of
// one for the same layer that still waits, and so do heartbeats and config
// updates of their kind. So a worker that stops reading costs at most one
// message per layer and a few more.
//
// Not thread-safe.
class OutboundQueue {
 public:
  void Push(Outbound message);
  // Next to be written, in order of their first arrival.
  std::optional<Payload> Pop();
  void Clear() { messages_.clear(); }
  size_t size() const { return messages_.size(); }

 private:
  std::deque<Outbound> messages_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SESSION_OUTBOUND_QUEUE_H_
