#ifndef BALANCEMOE_COORDINATOR_SESSION_REACTOR_H_
#define BALANCEMOE_COORDINATOR_SESSION_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/job.h"
#include "coordinator/job_directory.h"
#include "coordinator/session_stream.h"

namespace balancemoe::coordinator {

// The Session call of one worker: bytes in, bytes out, one write at a time.
//
//   OPEN --Close--> CLOSING --last write done--> FINISHED
//
// Raw bytes on both sides: plans are serialised once for all workers, and the
// message that reports are parsed into is used again and again. Owns itself
// until gRPC is done with it; the job may hold it longer.
class SessionReactor final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      public SessionStream,
      public std::enable_shared_from_this<SessionReactor> {
 public:
  // All must outlive the call.
  static SessionReactor* Start(grpc::CallbackServerContext* context,
                               JobDirectory& jobs, CoordinatorMetrics& metrics,
                               const Clock& clock);

  void Send(Outbound message, std::shared_ptr<Fanout> fanout) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadNext() override ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadAfterWrite() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(absl::Status status) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Time stalled_since() const override ABSL_LOCKS_EXCLUDED(mutex_);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  SessionReactor(grpc::CallbackServerContext* context, JobDirectory& jobs,
                 CoordinatorMetrics& metrics, const Clock& clock);

  // Hands the parsed message to its job.
  void Deliver();
  void Write(Payload payload);

  grpc::CallbackServerContext* const context_;
  JobDirectory& jobs_;
  CoordinatorMetrics& metrics_;
  const Clock& clock_;

  // Touched by one reaction at a time: the next read begins when the job is
  // done with the message.
  grpc::ByteBuffer inbound_bytes_;
  v1::SessionRequest inbound_;
  std::shared_ptr<Job> job_;

  // The one write that is on its way.
  grpc::ByteBuffer outbound_bytes_;

  mutable Mutex mutex_;
  OutboundQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Of the write that is on its way.
  std::shared_ptr<Fanout> fanout_ ABSL_GUARDED_BY(mutex_);
  bool read_after_write_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time write_began_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  // gRPC is done: the context is gone.
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(mutex_);

  // Until OnDone.
  std::shared_ptr<SessionReactor> self_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SESSION_REACTOR_H_
