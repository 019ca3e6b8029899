#ifndef BALANCEMOE_WORKER_AGENT_SESSION_MESSAGES_H_
#define BALANCEMOE_WORKER_AGENT_SESSION_MESSAGES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/ids.h"
#include "common/planning/job_placement.h"
#include "worker/agent/agent.h"
#include "worker/agent/session_client.h"

namespace balancemoe::worker {

// What an agent says, as messages. Pure.

v1::RegisterRequest MakeRegisterRequest(const AgentOptions& options,
                                        const JobPlacement& placement,
                                        Incarnation incarnation,
                                        Generation generation);

v1::SessionRequest MakeLoadReport(const v1::Fencing& fencing,
                                  const LayerReport& loads);

v1::SessionRequest MakePlanResult(const v1::Fencing& fencing,
                                  const LayerOutcome& outcome);

// What the coordinator answered to a registration of `options`.
struct Admission {
  SessionInfo session;
  // Within sensible bounds, whatever the coordinator said.
  absl::Duration heartbeat_interval;
};
Admission ReadAdmission(const v1::RegisterResponse& response,
                        const AgentOptions& options, Incarnation incarnation);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_SESSION_MESSAGES_H_
