#ifndef BALANCEMOE_WORKER_TRANSPORT_DELAYED_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_DELAYED_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/time/time.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// A link that is slower than the real one.
struct LinkDelay {
  absl::Duration latency;
  // Infinite: only the latency counts.
  double bandwidth_bytes_per_s = std::numeric_limits<double>::infinity();
  // Collectives too are held up, each as one message of the bytes that this
  // worker receives.
  bool delay_collectives = false;
  // An all-to-all of token rows, alone of all collectives, is held up by this
  // per byte, of what leaves a worker or comes to it, whichever is more; it
  // begins when all workers are there. 0: it is not.
  double exchange_seconds_per_byte = 0;

  // How long a message of `bytes` occupies its lanes.
  absl::Duration TimeOf(size_t bytes) const;
};

// Links of another kind between workers of different nodes.
struct DelayedNodes {
  // [W]; empty: all on one.
  std::vector<int32_t> node_of_rank = {};
  // As LinkDelay, but for `delay_collectives`, which is that of all links.
  LinkDelay between = {};
};

// Wraps what `factory` makes: a transfer arrives no earlier than the link would
// allow. Each worker has one lane to send and one to receive, for each kind of
// links; a transfer occupies its sender's from when both it has been started
// and the lane is free, then, with the same length, its receiver's, so that
// those of a lane queue up. The sender tells the receiver when its lane began,
// on the machine's monotonic clock: all workers are on one machine. Waiting
// costs no CPU.
//
// Done() and Elapsed() know the delay; the bytes may lie in the buffer before.
// Bytes that are there arrive, also when their sender has left by then; the
// waiting ends early only with this worker's own Abort() or destruction.
TransportFactory DelayedFactory(TransportFactory factory,
                                const LinkDelay& delay,
                                const DelayedNodes& nodes = {});

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_DELAYED_TRANSPORT_H_
