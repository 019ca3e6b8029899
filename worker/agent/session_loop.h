#ifndef BALANCEMOE_WORKER_AGENT_SESSION_LOOP_H_
#define BALANCEMOE_WORKER_AGENT_SESSION_LOOP_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/agent/coordinator_calls.h"
#include "worker/agent/reconnect_backoff.h"
#include "worker/agent/session_client.h"
#include "worker/agent/session_messages.h"
#include "worker/agent/session_stream.h"

namespace balancemoe::worker {

// What SessionClient hides: the thread that opens one connection after another.
// Contracts are those of SessionClient.
class SessionLoop {
 public:
  SessionLoop(const AgentOptions& options, JobPlacement placement,
              SessionListener& listener, const Clock& clock, LineLog& log);
  ~SessionLoop() { Stop(); }

  absl::StatusOr<SessionInfo> AwaitAttached(int64_t after,
                                            absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GroupFormed(Generation generation) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetCostModel(const CostModel& model) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetPlacement(const JobPlacement& placement) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetIteration(Iteration iteration) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t next_heartbeat() const ABSL_LOCKS_EXCLUDED(mutex_);
  void SendHeartbeat() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PutKey(Generation generation, absl::string_view key,
                      const std::string& value, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> GetKey(Generation generation,
                                     absl::string_view key,
                                     absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t sessions() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends what `make(fencing)` returns, if there is a session.
  template <typename Make>
  void Send(const Make& make) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::shared_ptr<Connection> connection = Attached();
    if (connection == nullptr) return;
    connection->stream->Send(SessionStream::Queue::Kind::kTelemetry,
                             make(connection->fencing));
  }

 private:
  // One life of the channel. Shared, because a thread may still be sending
  // while the loop lets go of it. Members die last to first.
  struct Connection {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::CoordinatorService::Stub> stub;
    Admission admission;
    v1::Fencing fencing;
    // What the coordinator was told at registration.
    uint64_t placement_version = 0;
    std::shared_ptr<SessionStream> stream;
  };
  using Keys = std::map<std::string, std::string>;

  // Null without a session.
  std::shared_ptr<Connection> Attached() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Errors: Unavailable without a session, Aborted in another generation.
  absl::StatusOr<std::shared_ptr<Connection>> AttachedTo(
      Generation generation) const;
  absl::Status PutOn(Connection& connection, const std::string& key,
                     const std::string& value, absl::Duration timeout);

  // On the loop's thread.
  void Run();
  // From channel to the end of the session, which is never OK unless stopping.
  absl::Status RunConnection();
  absl::Status Register(Connection& connection);
  void PutKeysAgain(Connection& connection);
  static void SendPlacement(Connection& connection,
                            const JobPlacement& placement);
  void OpenStream(const std::shared_ptr<Connection>& connection);
  absl::Status SendHeartbeatsUntilTheEnd(absl::Duration interval);
  void CloseStream(Connection& connection);
  void Pause();

  // On gRPC's threads.
  void OnMessage(const v1::SessionResponse& message);
  void OnHelloAck();
  void OnPlan(const v1::PlanPush& push);
  void OnStepPlan(const v1::PlanPush& push);
  void OnAnswer(const v1::Heartbeat& answer);
  void OnConfigUpdate(const v1::ConfigUpdate& update);
  void OnDrain(const v1::Drain& drain);
  void OnStreamEnd(absl::Status status);

  const AgentOptions options_;
  SessionListener& listener_;
  const Clock& clock_;
  LineLog& log_;
  const Incarnation incarnation_;

  CancellableCalls calls_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Connection> connection_ ABSL_GUARDED_BY(mutex_);
  // The coordinator acknowledged the stream of `connection_`.
  bool attached_ ABSL_GUARDED_BY(mutex_) = false;
  // How the stream of `connection_` ended.
  std::optional<absl::Status> stream_end_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> drain_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_);
  int64_t sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last session that the listener knows of.
  int64_t announced_ ABSL_GUARDED_BY(mutex_) = 0;
  ReconnectBackoff backoff_ ABSL_GUARDED_BY(mutex_);
  // Why the last connection ended, and whether because the coordinator would
  // not have this worker at all.
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;
  // The policy to ask for: the job's wish until an operator changed it.
  std::string policy_ ABSL_GUARDED_BY(mutex_);
  Generation generation_ ABSL_GUARDED_BY(mutex_);
  Iteration iteration_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_heartbeat_ ABSL_GUARDED_BY(mutex_) = 1;
  std::optional<CostModel> cost_model_ ABSL_GUARDED_BY(mutex_);
  JobPlacement placement_ ABSL_GUARDED_BY(mutex_);
  // Put while the group of `keys_generation_` forms.
  Keys keys_ ABSL_GUARDED_BY(mutex_);
  Generation keys_generation_ ABSL_GUARDED_BY(mutex_);

  // Last: uses everything above.
  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_SESSION_LOOP_H_
