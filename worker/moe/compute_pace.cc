#include "worker/moe/compute_pace.h"

#include <chrono>
#include <thread>

namespace balancemoe::worker {

absl::Duration ComputePace::Forward(int64_t tokens) const {
  if (tokens == 0) return absl::ZeroDuration();
  return absl::Microseconds(launch_us +
                            us_per_token * static_cast<double>(tokens));
}

absl::Duration ComputePace::Backward(int64_t tokens) const {
  return backward_factor * Forward(tokens);
}

void SleepUntil(absl::Time due, const Clock& clock) {
  for (absl::Time now = clock.Now(); now < due; now = clock.Now()) {
    std::this_thread::sleep_for(absl::ToChronoNanoseconds(due - now));
  }
}

}  // namespace balancemoe::worker
