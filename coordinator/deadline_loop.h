#ifndef BALANCEMOE_COORDINATOR_DEADLINE_LOOP_H_
#define BALANCEMOE_COORDINATOR_DEADLINE_LOOP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace balancemoe::coordinator {

// Calls `step` when somebody asked to be woken, and at least once per period.
// One thread for all jobs: a job has a deadline per layer and iteration, nearly
// all of which are met, so the usual request costs one comparison.
//
// Thread-safe. The destructor joins the thread.
class DeadlineLoop {
 public:
  // `clock` must outlive the loop. `step` must not block.
  DeadlineLoop(const Clock& clock, absl::Duration period,
               std::function<void()> step);
  ~DeadlineLoop();

  // Calls `step` at `when` or soon after.
  void WakeBy(absl::Time when) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when the loop is to end.
  bool WaitUntilDue() ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  const absl::Duration period_;
  const std::function<void()> step_;

  // Nanoseconds on the clock; only ever lowered by WakeBy.
  std::atomic<int64_t> next_wake_ns_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_DEADLINE_LOOP_H_
