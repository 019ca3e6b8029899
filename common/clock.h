#ifndef BALANCEMOE_COMMON_CLOCK_H_
#define BALANCEMOE_COMMON_CLOCK_H_

#include "absl/time/time.h"

namespace balancemoe {

// Tells the time to everything that waits or expires.
//
// Monotonic: a jump of the wall clock ends no lease and no deadline. The zero
// point is arbitrary but the same for all processes of one machine.
// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The machine's monotonic clock.
class SteadyClock final : public Clock {
 public:
  absl::Time Now() const override;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_CLOCK_H_
