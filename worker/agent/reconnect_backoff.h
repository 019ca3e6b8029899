#ifndef BALANCEMOE_WORKER_AGENT_RECONNECT_BACKOFF_H_
#define BALANCEMOE_WORKER_AGENT_RECONNECT_BACKOFF_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace balancemoe::worker {

// How long to wait before the next try: doubles from 50 ms to 2 s, each time
// shortened at random by up to half, so that the workers of a job do not come
// back all at once. Equal seeds give equal waits.
class ReconnectBackoff {
 public:
  explicit ReconnectBackoff(uint64_t seed) : random_(seed) {}

  absl::Duration Next();
  // After success: the next wait is short again.
  void Reset();

 private:
  std::mt19937_64 random_;
  int tries_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_RECONNECT_BACKOFF_H_
