#ifndef BALANCEMOE_COORDINATOR_RENDEZVOUS_CALLS_H_
#define BALANCEMOE_COORDINATOR_RENDEZVOUS_CALLS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"
#include "coordinator/cluster/rendezvous_keys.h"

namespace balancemoe::coordinator {

// Answers a call, with the value of a key where there is one. Called exactly
// once.
using RendezvousReply = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

// The rendezvous calls of one job, and those that still wait for their answer.
//
// Not thread-safe; belongs to the strand of its job.
class RendezvousCalls {
 public:
  RendezvousCalls(const RendezvousKeys::Limits& limits, int32_t world_size)
      : keys_(limits, world_size) {}

  void Put(absl::string_view key, std::string value, RendezvousReply reply);
  void Get(absl::string_view key, WaiterId waiter, RendezvousReply reply);
  void Barrier(absl::string_view name, WorkerRank rank, WaiterId waiter,
               RendezvousReply reply);

  // The caller of `waiter` has gone.
  void Cancel(WaiterId waiter);
  // Answers all that wait with `status` and forgets every key.
  void Clear(const absl::Status& status);

 private:
  void Answer(const std::vector<WaiterId>& waiters,
              const absl::StatusOr<std::string>& answer);

  RendezvousKeys keys_;
  std::map<WaiterId, RendezvousReply> reply_by_waiter_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_RENDEZVOUS_CALLS_H_
