#ifndef BALANCEMOE_WORKER_AGENT_SESSION_CLIENT_H_
#define BALANCEMOE_WORKER_AGENT_SESSION_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/fencing.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/job_placement.h"
#include "worker/agent/agent.h"
#include "worker/agent/line_log.h"
#include "worker/agent/plan_mailbox.h"
#include "worker/agent/step_plan_shelf.h"

namespace balancemoe::worker {

class SessionLoop;

// What the coordinator said of the session that is open now.
struct SessionInfo {
  // 1 for the first session of a client, and so on.
  int64_t number = 0;
  Fencing fencing;
  // The policy in force, "policy@mode".
  std::string policy;
};

// Hears what comes from the coordinator. Called from gRPC's threads and the
// client's own, never with a lock held; must not block.
class SessionListener {
 public:
  virtual ~SessionListener() = default;

  virtual void OnAttached(const SessionInfo& session) = 0;
  virtual void OnDetached() = 0;
  virtual void OnPlan(HeldPlan plan) = 0;
  virtual void OnStepPlan(HeldStepPlan plan) = 0;
  virtual void OnUnreadablePlan(const absl::Status& why) = 0;
  virtual void OnNoPlan(Iteration iteration, LayerId layer) = 0;
  // From `first` on, plans are made by `policy`, "policy@mode".
  virtual void OnPolicy(const std::string& policy, Iteration first) = 0;
  // The answer to a heartbeat that was really sent.
  virtual void OnAnswer(uint64_t heartbeat) = 0;
};

// What a worker routed in one layer or in all of them, for the coordinator.
struct LayerReport {
  Iteration iteration;
  // Rising.
  std::vector<LayerId> layers;
  // Row-major, [layers, E].
  absl::Span<const int64_t> tokens_per_expert;
  // JobPlacement::version by which it is routed.
  uint64_t placement_version = 0;
};

// How a layer went, for the coordinator.
struct LayerOutcome {
  // Values are those of PlanOutcome on the wire.
  enum class Kind { kUsed = 1, kNone = 2, kLate = 3, kRefused = 4 };

  PlanId plan;
  Iteration iteration;
  LayerId layer;
  Kind kind = Kind::kNone;
  absl::Duration plan_wait;
  absl::Duration peer_wait;
  LayerTimes times;
};

// Keeps a session with the coordinator for as long as it lives: registers,
// opens the stream, sends heartbeats, and starts over, with a fresh channel and
// after a jittered pause, whenever the session ends or falls silent.
//
//   away --Register, Hello--> attached --stream ends, silence, Drain--> away
//
// Thread-safe. Nothing that is sent blocks or fails: without a session it is
// dropped. One thread of its own besides gRPC's; the destructor ends it within
// a second.
class SessionClient {
 public:
  // `listener`, `clock` and `log` must outlive the client.
  SessionClient(const AgentOptions& options, JobPlacement placement,
                SessionListener& listener, const Clock& clock, LineLog& log);
  ~SessionClient();

  // Waits for a session whose number is above `after`.
  //
  // Errors: those of Register that trying again does not mend; Unavailable,
  // with the last error, when `timeout` passes.
  absl::StatusOr<SessionInfo> AwaitAttached(int64_t after,
                                            absl::Duration timeout);

  // The group is formed: registrations ask for this generation from now on, and
  // the keys that were put for it need not be kept.
  void GroupFormed(Generation generation);

  void SendLoads(const LayerReport& report);
  void SendOutcome(const LayerOutcome& outcome);
  // Sent again in every later session.
  void SetCostModel(const CostModel& model);
  // Every later session registers with it; this one hears of it from rank 0.
  void SetPlacement(const JobPlacement& placement);
  void SetIteration(Iteration iteration);

  // Sequence of the next heartbeat to be sent.
  uint64_t next_heartbeat() const;
  void SendHeartbeat();

  // One try each. Keys put are put again when the coordinator was restarted.
  absl::Status PutKey(Generation generation, absl::string_view key,
                      const std::string& value, absl::Duration timeout);
  absl::StatusOr<std::string> GetKey(Generation generation,
                                     absl::string_view key,
                                     absl::Duration timeout);

  // Sessions opened so far.
  int64_t sessions() const;

  // Says goodbye where somebody listens, and ends the thread. Within a second.
  void Stop();

 private:
  const std::unique_ptr<SessionLoop> loop_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_SESSION_CLIENT_H_
