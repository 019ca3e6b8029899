#include "common/clock.h"

#include <chrono>

namespace balancemoe {

absl::Time SteadyClock::Now() const {
  return absl::UnixEpoch() +
         absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace balancemoe
