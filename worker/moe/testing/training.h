#ifndef BALANCEMOE_WORKER_MOE_TESTING_TRAINING_H_
#define BALANCEMOE_WORKER_MOE_TESTING_TRAINING_H_

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "worker/moe/gate.h"
#include "worker/moe/grouped_ffn.h"
#include "worker/moe/testing/worker_group.h"

namespace balancemoe::worker {

// A small training run of stacked MoE layers.
struct TrainingOptions {
  int32_t workers = 2;
  int32_t layers = 1;
  int64_t hidden = 16;
  int64_t ffn = 32;
  // SwiGLU experts.
  bool gated = false;
  int64_t experts = 4;
  int64_t top_k = 2;
  double capacity_factor = 0;
  // Tokens of each worker, [W].
  std::vector<int64_t> tokens = {};
  ExpertKernels kernels = ExpertKernels::kLoop;
  int64_t steps = 1;
  // Forwards and backwards per step.
  int64_t micro_batches = 1;
  uint64_t seed = 1;
  // Instead of top-k, when given.
  Router router = {};
  // Plans where the caller chooses no lends.
  std::string policy = "static";
  // Of chosen lends, as in WorkerGroupOptions.
  CostModel routes = {};
};

// Everything that training produced, by name: outputs and input gradients per
// worker, step and micro-batch, gradients after each backward, parameters and
// optimizer state at the end.
using TrainingRecord = std::map<std::string, torch::Tensor>;

struct TrainingResult {
  TrainingRecord record;
  // Over all workers, so that each lend counts twice.
  int64_t lends = 0;
  int64_t lends_in_part = 0;
  // Of all steps and layers, by worker: [W] each.
  std::vector<int64_t> tokens_computed;
};

TrainingResult Train(const TrainingOptions& options, LendChooser lends = {});

// What agreement to rounding means, relative to the largest value of a tensor.
inline constexpr double kRounding = 1e-5;

// Without the parameters: Adam's first steps have the size of the learning rate
// whatever the gradient's, so they tell the sign of a rounding error.
TrainingRecord UpToTheGradients(const TrainingResult& result);

// Deterministic values in [-1, 1), by `seed`.
torch::Tensor Values(at::IntArrayRef shape, uint64_t seed);

// Under which an expert that several workers borrow goes along a chain, in
// several parts.
inline CostModel ChainRoutes() {
  return {.intra_node = {.latency_us = 20, .us_per_byte = 1},
          .expert_bytes = 4000};
}
// Under which more than two borrowers get it by a tree.
inline CostModel TreeRoutes() {
  return {.intra_node = {.latency_us = 1e6, .us_per_byte = 1},
          .expert_bytes = 4000};
}

// Whether both records hold the same names and the same bits.
void ExpectSameBits(const TrainingRecord& expected,
                    const TrainingRecord& actual);

// Whether both hold the same names, and tensors that differ nowhere by more
// than `relative` of their largest value.
void ExpectClose(const TrainingRecord& expected, const TrainingRecord& actual,
                 double relative);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TESTING_TRAINING_H_
