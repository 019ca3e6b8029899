#ifndef BALANCEMOE_WORKER_TRAIN_STEP_RECORD_H_
#define BALANCEMOE_WORKER_TRAIN_STEP_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace balancemoe::worker {

// What one worker measured in one MoE layer during one step, forward and
// backward together. Travels between workers as bytes.
struct LayerFigures {
  // Gate's end to combined output.
  double layer_us = 0;
  double expert_compute_us = 0;
  // Of it, what paced computation took longer than its pace.
  double pace_overrun_us = 0;
  double exposed_transfer_us = 0;
  // Moving tokens, without waiting for slower peers.
  double all_to_all_us = 0;
  double peer_wait_us = 0;
  // Forecast for the layer, the same on all workers; 0 without a plan.
  double predicted_us = 0;
  // Processor time of this process's other threads meanwhile: the transport's.
  double transport_cpu_us = 0;
  // Assignments that this worker computed.
  int64_t tokens_computed = 0;
  // Of this worker's tokens, those that nobody computed: no room.
  int64_t tokens_dropped = 0;
  // Of those computed, the ones of borrowed experts.
  int64_t tokens_borrowed = 0;
  // Lends of which this worker was one end, and those of them whose borrower
  // computed only a part of the tokens.
  int64_t lends = 0;
  int64_t lends_in_part = 0;
  // Sent by this worker.
  int64_t transfer_bytes = 0;
  // The most at a time: parameters, gradients and optimizer state of own
  // experts, parameters and gradients of borrowed ones.
  int64_t expert_bytes = 0;
};

// What one worker measured in one step besides its layers. Travels as bytes.
struct WorkerFigures {
  double plan_wait_us = 0;
  // For the counts of slower peers, before any plan can be.
  double peer_wait_us = 0;
  // Processor time of the whole process; 0 for threads that share one with rank
  // 0.
  double cpu_us = 0;
  int64_t plans_used = 0;
  int64_t plans_none = 0;
  int64_t plans_late = 0;
  int64_t plans_refused = 0;
  // Experts that changed their home at the end of the step, and those that were
  // to and did not, because a worker did not get what it was sent: the same on
  // all workers. What this worker sent for it, and how long it took.
  int64_t moves = 0;
  int64_t moves_refused = 0;
  int64_t move_bytes = 0;
  double move_us = 0;
};

// What is known of one step once all workers have ended it.
struct StepRecord {
  // Mean over all tokens of all workers.
  float loss = 0;
  // From the end of the step before to the end of this one.
  double step_ms = 0;
  // [W]
  std::vector<WorkerFigures> workers;
  // [W, layers], row-major.
  std::vector<LayerFigures> layers;

  size_t num_layers() const { return layers.size() / workers.size(); }
  const LayerFigures& At(size_t worker, size_t layer) const {
    return layers[worker * num_layers() + layer];
  }
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_STEP_RECORD_H_
