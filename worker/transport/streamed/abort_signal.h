#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_ABORT_SIGNAL_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_ABORT_SIGNAL_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace balancemoe::worker {

// Whether a group is aborted, and why. Whoever polls a device asks it between
// two looks. Thread-safe.
class AbortSignal {
 public:
  // False when it had been raised before: the first reason stays.
  bool Raise(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (raised_) return false;
    raised_ = true;
    reason_ = std::string(reason);
    changed_.NotifyAll();
    return true;
  }

  // Unavailable, with the reason, once raised.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return raised_ ? absl::UnavailableError(reason_) : absl::OkStatus();
  }

  // Waits until it is raised, at most `timeout`; whether it is.
  bool WaitFor(absl::Duration timeout) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (!raised_) changed_.WaitFor(&mutex_, timeout);
    return raised_;
  }

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_ABORT_SIGNAL_H_
