#include "coordinator/rendezvous_calls.h"

#include <optional>
#include <utility>

namespace balancemoe::coordinator {

void RendezvousCalls::Put(absl::string_view key, std::string value,
                          RendezvousReply reply) {
  const auto woken = keys_.Put(key, value);
  if (!woken.ok()) {
    reply(woken.status());
    return;
  }
  Answer(*woken, std::move(value));
  reply(std::string());
}

void RendezvousCalls::Get(absl::string_view key, WaiterId waiter,
                          RendezvousReply reply) {
  absl::StatusOr<std::optional<std::string>> value = keys_.Get(key, waiter);
  if (!value.ok()) {
    reply(value.status());
  } else if (value->has_value()) {
    reply(**std::move(value));
  } else {
    reply_by_waiter_.emplace(waiter, std::move(reply));
  }
}

void RendezvousCalls::Barrier(absl::string_view name, WorkerRank rank,
                              WaiterId waiter, RendezvousReply reply) {
  const auto released = keys_.Barrier(name, rank, waiter);
  if (!released.ok()) {
    reply(released.status());
    return;
  }
  reply_by_waiter_.emplace(waiter, std::move(reply));
  Answer(*released, std::string());
}

void RendezvousCalls::Cancel(WaiterId waiter) {
  keys_.Forget(waiter);
  Answer({waiter}, absl::CancelledError("the caller has gone"));
}

void RendezvousCalls::Clear(const absl::Status& status) {
  Answer(keys_.Clear(), status);
}

void RendezvousCalls::Answer(const std::vector<WaiterId>& waiters,
                             const absl::StatusOr<std::string>& answer) {
  for (const WaiterId waiter : waiters) {
    const auto call = reply_by_waiter_.find(waiter);
    if (call == reply_by_waiter_.end()) continue;
    RendezvousReply reply = std::move(call->second);
    reply_by_waiter_.erase(call);
    reply(answer);
  }
}

}  // namespace balancemoe::coordinator
