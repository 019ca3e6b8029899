#ifndef BALANCEMOE_WORKER_TRAIN_PROCESS_USAGE_H_
#define BALANCEMOE_WORKER_TRAIN_PROCESS_USAGE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace balancemoe::worker {

// Processor time of all threads of this process so far.
absl::Duration ProcessCpuTime();

// Most memory that this process ever held.
int64_t PeakRssBytes();

// Keeps the memory of one step for the next. glibc otherwise gives big
// activation blocks back to the kernel and gets them anew every step, a sixth
// of the processor time as page faults. Call once, before other threads start.
void KeepFreedMemory();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_PROCESS_USAGE_H_
