#ifndef BALANCEMOE_WORKER_MOE_GATE_H_
#define BALANCEMOE_WORKER_MOE_GATE_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/ids.h"

namespace balancemoe::worker {

// Chooses the experts of each token: gate logits [T, E] in, expert ids [T, K]
// (int64, on any device) out, no expert twice in a row of it.
using Router = std::function<torch::Tensor(const torch::Tensor& logits)>;

// The K highest logits.
Router TopKRouter(int64_t top_k);

// What a job may add to its loss, scalars over this worker's tokens.
struct GateLosses {
  // Load balancing: E * sum over experts of (share of the choices) * (mean
  // softmax over all logits); 1 when the load is even (Switch Transformers,
  // arXiv:2101.03961, equation 4).
  torch::Tensor balance;
  // Mean over the tokens of the square of log(sum(exp(logits))): keeps logits
  // small (ST-MoE, arXiv:2202.08906, equation 5).
  torch::Tensor z;
};

// What the gate decided for a batch.
struct GateChoice {
  // [T, K], int64, contiguous, on the CPU; kDropped where the expert had no
  // room.
  torch::Tensor experts;
  // [T, K]: softmax over the chosen logits.
  torch::Tensor weights;
  // [E]: tokens per expert, without those that were dropped.
  std::vector<int64_t> counts;
  int64_t dropped = 0;
  GateLosses losses;
};

// The learned router of a layer: logits = hidden x weight^T. Replicated: every
// worker has the same weight, [E, H], whose gradients the job sums up like
// those of its dense layers.
class GateImpl : public torch::nn::Module {
 public:
  struct Options {
    LayerId layer;
    int64_t hidden = 0;
    int64_t experts = 0;
    int64_t top_k = 1;
    // Of each expert for this worker's tokens (ExpertCapacity); 0: no bound.
    double capacity_factor = 0;
    uint64_t seed = 1;
    torch::Device device = torch::kCPU;
  };

  explicit GateImpl(const Options& options);

  // Throws c10::Error when the router's choice has another shape or an unknown
  // expert.
  GateChoice forward(const torch::Tensor& hidden);

  void SetRouter(Router router) { router_ = std::move(router); }

 private:
  std::vector<int64_t> Count(const torch::Tensor& experts) const;
  void Drop(GateChoice& choice) const;

  const Options options_;
  Router router_;
  torch::Tensor weight_;
};
TORCH_MODULE(Gate);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_GATE_H_
