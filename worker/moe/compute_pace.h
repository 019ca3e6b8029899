#ifndef BALANCEMOE_WORKER_MOE_COMPUTE_PACE_H_
#define BALANCEMOE_WORKER_MOE_COMPUTE_PACE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"

namespace balancemoe::worker {

// How long an expert's computation takes at least, for emulation: as if on
// other hardware, in slow motion. A value.
struct ComputePace {
  // An expert with n > 0 tokens: launch + n * per token, in forward; backward
  // takes a multiple of that.
  double launch_us = 0;
  double us_per_token = 0;
  double backward_factor = 2;

  absl::Duration Forward(int64_t tokens) const;
  absl::Duration Backward(int64_t tokens) const;
};

// Blocks until `due` without using CPU.
void SleepUntil(absl::Time due, const Clock& clock);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_COMPUTE_PACE_H_
