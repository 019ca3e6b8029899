#ifndef BALANCEMOE_WORKER_AGENT_OUTBOUND_QUEUE_H_
#define BALANCEMOE_WORKER_AGENT_OUTBOUND_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace balancemoe::worker {

// Messages that wait for their turn to be written; a stream takes one write at
// a time. Bounded, for a coordinator that stops reading: when full, the oldest
// telemetry goes first, as it is the least worth. A value without lock.
template <typename Message>
class OutboundQueue {
 public:
  enum class Kind {
    // Loads and outcomes: may be dropped.
    kTelemetry,
    // Only the newest counts: takes the place of one that still waits.
    kHeartbeat,
    // Said once per session, must arrive.
    kEssential,
  };

  explicit OutboundQueue(size_t capacity) : capacity_(capacity) {}

  void Push(Kind kind, Message message) {
    if (kind == Kind::kHeartbeat) EraseFirst(Kind::kHeartbeat);
    if (waiting_.size() >= capacity_ && EraseFirst(Kind::kTelemetry)) {
      ++dropped_;
    }
    waiting_.push_back({kind, std::move(message)});
  }

  std::optional<Message> Pop() {
    if (waiting_.empty()) return std::nullopt;
    Message message = std::move(waiting_.front().message);
    waiting_.pop_front();
    return message;
  }

  size_t size() const { return waiting_.size(); }
  int64_t dropped() const { return dropped_; }

 private:
  struct Entry {
    Kind kind;
    Message message;
  };

  bool EraseFirst(Kind kind) {
    for (auto entry = waiting_.begin(); entry != waiting_.end(); ++entry) {
      if (entry->kind == kind) {
        waiting_.erase(entry);
        return true;
      }
    }
    return false;
  }

  const size_t capacity_;
  std::deque<Entry> waiting_;
  int64_t dropped_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_OUTBOUND_QUEUE_H_
