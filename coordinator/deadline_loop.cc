#include "coordinator/deadline_loop.h"

#include <pthread.h>

#include <utility>

namespace balancemoe::coordinator {

DeadlineLoop::DeadlineLoop(const Clock& clock, absl::Duration period,
                           std::function<void()> step)
    : clock_(clock),
      period_(period),
      step_(std::move(step)),
      next_wake_ns_(absl::ToUnixNanos(clock.Now() + period)),
      thread_([this] { Run(); }) {}

DeadlineLoop::~DeadlineLoop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void DeadlineLoop::WakeBy(absl::Time when) {
  const int64_t when_ns = absl::ToUnixNanos(when);
  int64_t planned = next_wake_ns_.load();
  while (when_ns < planned) {
    if (!next_wake_ns_.compare_exchange_weak(planned, when_ns)) continue;
    // With the lock, or the loop could miss it between its look at the time and
    // its wait.
    MutexLock lock(&mutex_);
    changed_.NotifyAll();
    return;
  }
}

void DeadlineLoop::Run() {
  pthread_setname_np(pthread_self(), "deadlines");
  while (WaitUntilDue()) step_();
}

bool DeadlineLoop::WaitUntilDue() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    const absl::Duration left =
        absl::FromUnixNanos(next_wake_ns_.load()) - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      next_wake_ns_.store(absl::ToUnixNanos(clock_.Now() + period_));
      return true;
    }
    changed_.WaitFor(&mutex_, left);
  }
  return false;
}

}  // namespace balancemoe::coordinator
