#include "worker/moe/processor_time.h"

#include <ctime>

namespace balancemoe::worker {
namespace {

absl::Duration Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

absl::Duration OtherThreadsProcessorTime() {
  return Read(CLOCK_PROCESS_CPUTIME_ID) - Read(CLOCK_THREAD_CPUTIME_ID);
}

}  // namespace balancemoe::worker
