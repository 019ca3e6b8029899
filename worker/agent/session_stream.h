#ifndef BALANCEMOE_WORKER_AGENT_SESSION_STREAM_H_
#define BALANCEMOE_WORKER_AGENT_SESSION_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/agent/outbound_queue.h"

namespace balancemoe::worker {

// One Session call: a queue in front of gRPC's one write at a time, and a loop
// of reads.
//
//   open --Finish, queue empty--> half closed --server ends it--> ended
//   any --Cancel, failure--> ended
//
// Thread-safe.
class SessionStream final
    : public grpc::ClientBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  using Queue = OutboundQueue<v1::SessionRequest>;

  struct Callbacks {
    // From gRPC's threads, one at a time, without a lock.
    std::function<void(const v1::SessionResponse& message)> message;
    // Once, after the last message. The stream must not be destroyed from here;
    // AwaitEnd tells when it may be.
    std::function<void(absl::Status status)> end;
  };

  // `stub` must outlive the stream; the stream must have ended before it dies.
  static std::shared_ptr<SessionStream> Open(v1::CoordinatorService::Stub& stub,
                                             Callbacks callbacks);

  // Never blocks; after the end, does nothing.
  void Send(Queue::Kind kind, v1::SessionRequest message)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends what is queued, then tells the server that nothing more will come.
  void Finish() ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() { context_.TryCancel(); }

  // False when the stream has not ended within `timeout`.
  bool AwaitEnd(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit SessionStream(Callbacks callbacks);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  enum class Operation { kNone, kWrite, kHalfClose, kRelease };

  // What may be started now; the caller must start it.
  Operation Choose() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts all that may be started.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  const Callbacks callbacks_;
  const SteadyClock clock_;
  grpc::ClientContext context_;
  // Of the read and the write under way.
  v1::SessionResponse incoming_;
  v1::SessionRequest outgoing_;

  Mutex mutex_;
  CondVar ended_changed_;
  Queue queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // A thread is between the decision to start an operation and its start; the
  // call's hold must last that long.
  bool starting_ ABSL_GUARDED_BY(mutex_) = false;
  bool finish_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  // Reading or writing failed: gRPC will end the call once nobody holds it.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_SESSION_STREAM_H_
