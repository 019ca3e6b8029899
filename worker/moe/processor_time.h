#ifndef BALANCEMOE_WORKER_MOE_PROCESSOR_TIME_H_
#define BALANCEMOE_WORKER_MOE_PROCESSOR_TIME_H_

#include "absl/time/time.h"

namespace balancemoe::worker {

// Processor time that all threads of this process but the calling one have
// used.
absl::Duration OtherThreadsProcessorTime();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_PROCESSOR_TIME_H_
