#ifndef BALANCEMOE_WORKER_MOE_MOE_LAYER_TIMES_H_
#define BALANCEMOE_WORKER_MOE_MOE_LAYER_TIMES_H_

#include <cstdint>

#include "absl/time/time.h"

namespace balancemoe::worker {

// What one forward and backward of the layer did on this worker.
struct MoeLayerTimes {
  // Gate's end to combined output, and the same in backward, from when all
  // workers have come so far: what slower peers did before is not of this
  // layer. In backward that is known with MoeLayerOptions::split_peer_wait
  // only.
  absl::Duration forward;
  absl::Duration backward;
  // Inside the experts' own computation, both directions.
  absl::Duration expert_compute;
  // Of it, what a paced computation took longer than its pace.
  absl::Duration pace_overrun;
  // Waiting for parameters or gradients that compute did not hide.
  absl::Duration exposed_transfer;
  // Moving tokens, all four exchanges, peers' waiting included.
  absl::Duration all_to_all;
  // Of all_to_all, waiting for slower peers; zero without
  // MoeLayerOptions::split_peer_wait.
  absl::Duration peer_wait;
  // Processor time of this process's other threads during forward and backward
  // of the layer: those of the transport, and whatever else runs.
  absl::Duration other_threads_cpu;
  int64_t tokens_computed = 0;
  // Choices of this worker's tokens for which their expert had no room.
  int64_t tokens_dropped = 0;
  // Lends of which this worker was one end, without those of moves.
  int64_t lends = 0;
  // Of those, the ones whose borrower computed only a part of the tokens.
  int64_t lends_in_part = 0;
  // Of tokens_computed, those of borrowed experts.
  int64_t tokens_borrowed = 0;
  // Sent by this worker: parameters and gradients of experts.
  int64_t transfer_bytes = 0;
  // The coordinator's forecast of the layer's time; 0 without a plan.
  double predicted_us = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_MOE_LAYER_TIMES_H_
