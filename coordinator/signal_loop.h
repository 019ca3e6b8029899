#ifndef BALANCEMOE_COORDINATOR_SIGNAL_LOOP_H_
#define BALANCEMOE_COORDINATOR_SIGNAL_LOOP_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace balancemoe::coordinator {

// Waits for SIGTERM and SIGINT in a thread of its own, so that no handler
// interrupts anything. The first asks for an orderly end; the second ends the
// process at once, with exit status 0 as the first one would.
//
// Make it before any other thread, which would get the signals otherwise. Lives
// until the process ends.
class SignalLoop {
 public:
  SignalLoop();
  ~SignalLoop();

  // Blocks until the first signal.
  void WaitForFirst() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar came_;
  int signals_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SIGNAL_LOOP_H_
