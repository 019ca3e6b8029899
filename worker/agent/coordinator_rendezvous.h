#ifndef BALANCEMOE_WORKER_AGENT_COORDINATOR_RENDEZVOUS_H_
#define BALANCEMOE_WORKER_AGENT_COORDINATOR_RENDEZVOUS_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/agent/session_client.h"
#include "worker/transport/rendezvous.h"

namespace balancemoe::worker {

// Keys kept by the coordinator, so that a job forms its group without a second
// address. Outlasts a restart of the coordinator: calls wait for the next
// session and try again, and what was put is put there again.
class CoordinatorRendezvous final : public Rendezvous {
 public:
  // A Put takes no longer than `put_timeout`. `client` and `clock` must outlive
  // the rendezvous.
  CoordinatorRendezvous(SessionClient& client, const Clock& clock,
                        absl::Duration put_timeout);

  absl::Status Put(Generation generation, absl::string_view key,
                   std::string value) override;
  absl::StatusOr<std::string> Get(Generation generation, absl::string_view key,
                                  absl::Duration timeout) override;

 private:
  // Calls `attempt` until its error is not that the coordinator is away.
  absl::Status Retry(
      Generation generation, absl::Duration timeout,
      absl::FunctionRef<absl::Status(absl::Duration timeout)> attempt);

  SessionClient& client_;
  const Clock& clock_;
  const absl::Duration put_timeout_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_COORDINATOR_RENDEZVOUS_H_
