#include "coordinator/strand.h"

#include <utility>

namespace balancemoe::coordinator {

void Strand::Post(Task task) {
  {
    MutexLock lock(&mutex_);
    posted_.push_back(std::move(task));
    if (running_) return;
    running_ = true;
  }
  std::vector<Task> batch;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (posted_.empty()) {
        running_ = false;
        return;
      }
      batch.swap(posted_);
    }
    for (Task& next : batch) next();
    batch.clear();
  }
}

}  // namespace balancemoe::coordinator
