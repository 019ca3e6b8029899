#ifndef BALANCEMOE_COORDINATOR_STRAND_H_
#define BALANCEMOE_COORDINATOR_STRAND_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/mutex.h"

namespace balancemoe::coordinator {

// Runs tasks one at a time, in the order in which they were posted, without a
// thread of its own: whoever posts to an idle strand runs what is there, and
// what comes meanwhile, before Post returns. A task that posts to its own
// strand does not wait for the new task.
//
// Thread-safe. No lock is held while a task runs.
class Strand {
 public:
  using Task = absl::AnyInvocable<void()>;

  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_STRAND_H_
