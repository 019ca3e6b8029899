#include "coordinator/session/outbound_queue.h"

#include <algorithm>
#include <utility>

namespace balancemoe::coordinator {

void OutboundQueue::Push(Outbound message) {
  if (message.kind != Outbound::Kind::kNotice) {
    const auto older = std::find_if(
        messages_.begin(), messages_.end(), [&](const Outbound& waiting) {
          return waiting.kind == message.kind && waiting.layer == message.layer;
        });
    if (older != messages_.end()) {
      older->payload = std::move(message.payload);
      return;
    }
  }
  messages_.push_back(std::move(message));
}

std::optional<Payload> OutboundQueue::Pop() {
  if (messages_.empty()) return std::nullopt;
  Payload next = std::move(messages_.front().payload);
  messages_.pop_front();
  return next;
}

}  // namespace balancemoe::coordinator
