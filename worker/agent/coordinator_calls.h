#ifndef BALANCEMOE_WORKER_AGENT_COORDINATOR_CALLS_H_
#define BALANCEMOE_WORKER_AGENT_COORDINATOR_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/mutex.h"
#include "common/wire/grpc_status.h"

namespace balancemoe::worker {

// A channel that shares nothing with earlier ones, so that it connects at once
// instead of sitting out their backoff, and that no proxy variable leads
// astray.
std::shared_ptr<grpc::Channel> MakeCoordinatorChannel(
    const std::string& address);

// A deadline that a jump of the wall clock does not move.
gpr_timespec MonotonicDeadline(absl::Duration timeout);

// Unary calls that block their caller, and that another thread can end.
// Thread-safe.
class CancellableCalls {
 public:
  // `call` gets the context to use, and blocks.
  //
  // Errors: those of the call; DeadlineExceeded after `timeout`; Cancelled
  // after CancelAll.
  template <typename Call>
  absl::Status Run(absl::Duration timeout, const Call& call)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    grpc::ClientContext context;
    context.set_deadline(MonotonicDeadline(timeout));
    {
      MutexLock lock(&mutex_);
      if (cancelled_) return absl::CancelledError("agent: it is ending");
      contexts_.insert(&context);
    }
    const grpc::Status status = call(&context);
    {
      MutexLock lock(&mutex_);
      contexts_.erase(&context);
    }
    return FromGrpcStatus(status);
  }

  // Ends the calls under way; later ones fail at once.
  void CancelAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_COORDINATOR_CALLS_H_
