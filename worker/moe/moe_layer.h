#ifndef BALANCEMOE_WORKER_MOE_MOE_LAYER_H_
#define BALANCEMOE_WORKER_MOE_MOE_LAYER_H_

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/ids.h"
#include "worker/agent/agent.h"
#include "worker/expert/expert_store.h"

namespace balancemoe::worker {

// Dimensions, in every shape below:
//   T  tokens in the batch        E  experts in the layer
//   H  hidden size                K  experts chosen per token

struct MoeLayerOptions {
  LayerId layer;
  int64_t hidden = 256;
  int64_t ffn = 1024;
  int64_t experts = 8;
  int64_t top_k = 2;
  // Of the parameters' first values, which depend on layer and expert, not on
  // where the expert lives.
  uint64_t seed = 1;
};

// Chooses the experts of each token: gate logits [T, E] in, expert ids [T, K]
// (int64) out, no expert twice in a row of it.
using Router = std::function<torch::Tensor(const torch::Tensor& logits)>;

// The K highest logits.
Router TopKRouter(int64_t top_k);

// What one forward and backward of the layer did on this worker.
struct MoeLayerTimes {
  // Gate's end to combined output, and the same in backward.
  absl::Duration forward;
  absl::Duration backward;
  // Inside the experts' own computation, both directions.
  absl::Duration expert_compute;
  // Waiting for parameters or gradients that compute did not hide.
  absl::Duration exposed_transfer;
  // Moving tokens, all four exchanges, peers' waiting included.
  absl::Duration all_to_all;
  int64_t tokens_computed = 0;
  int64_t lends = 0;
  int64_t transfer_bytes = 0;
  // The coordinator's forecast of the layer's time; 0 without a plan.
  double predicted_us = 0;
};

// One mixture-of-experts feed-forward layer whose experts live on several workers
// and are lent between them while it runs.
//
// Used from one thread. Every worker of the job runs the same layers in the same
// order.
class MoeLayerImpl : public torch::nn::Module {
 public:
  // `agent` must outlive the layer.
  MoeLayerImpl(const MoeLayerOptions& options, Agent& agent);

  // `hidden` is [T, H], fp32; so is the result. Each row is the sum of K experts'
  // outputs, weighted by a softmax over the K chosen gate scores. T may differ
  // from call to call and worker to worker and may be 0.
  //
  // Throws c10::Error, with the status in words, when a peer is gone.
  torch::Tensor forward(const torch::Tensor& hidden);

  // Takes the place of the top-k gate's choice from the next call on; the gate's
  // scores still weigh the chosen experts.
  void SetRouter(Router router);

  // The switch-transformer load-balancing loss of the last forward, a scalar.
  torch::Tensor aux_loss() const;

  ExpertStore& experts();

  // Of the last forward and, once it ran, its backward.
  const MoeLayerTimes& last_times() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};
TORCH_MODULE(MoeLayer);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_MOE_LAYER_H_
