#ifndef BALANCEMOE_WORKER_MOE_MOE_LAYER_H_
#define BALANCEMOE_WORKER_MOE_MOE_LAYER_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "common/planning/plan.h"
#include "worker/agent/agent.h"
#include "worker/expert/expert_store.h"
#include "worker/moe/compute_pace.h"
#include "worker/moe/gate.h"
#include "worker/moe/grouped_ffn.h"
#include "worker/moe/moe_layer_times.h"

namespace balancemoe::worker {

// Dimensions, in every shape below:
//   T  tokens in the batch        E  experts in the layer
//   H  hidden size                K  experts chosen per token

struct MoeLayerOptions {
  LayerId layer = LayerId(0);
  int64_t hidden = 256;
  int64_t ffn = 1024;
  // SwiGLU experts instead of GELU.
  bool gated = false;
  int64_t experts = 8;
  int64_t top_k = 2;
  // How much of a worker's tokens an expert takes, as a multiple of an even
  // share; what is over it is dropped: the expert adds nothing to the token. 0:
  // no token is dropped.
  double capacity_factor = 0;
  // Of the parameters' first values, which depend on layer and expert, not on
  // where the expert lives.
  uint64_t seed = 1;
  // Tensors of each expert parameter's shape that the optimizer keeps in
  // experts(), where they move with the expert: 2 for Adam.
  int32_t moments = 0;
  // Emulates other hardware: each expert takes at least so long.
  std::optional<ComputePace> pace = {};
  // Lets the workers meet before each exchange, so that MoeLayerTimes tells
  // waiting for peers from moving tokens: costs a barrier, four times per step.
  bool split_peer_wait = false;
  // Where it is computed; transports that serve its memory are needed there. A
  // GPU must have been opened (OpenComputeDevice).
  torch::Device device = torch::kCPU;
  ExpertKernels kernels = ExpertKernels::kLoop;
};

// One mixture-of-experts feed-forward layer whose experts live on several
// workers and are lent between them while it runs.
//
// Parameters: "gate.weight", [E, H], the same on every worker, whose gradients
// the job sums up like those of its dense layers; "experts.<id>.w1" and so on
// for the experts that live here, whose gradients are complete when backward()
// returns, whoever computed them.
//
// Used from one thread. Every worker of the job runs the same layers in the
// same order, forward and backward. A forward without a backward is fine, as is
// a second forward before it: each holds its borrowed experts until its
// backward has ended or its graph is gone.
class MoeLayerImpl : public torch::nn::Module {
 public:
  // `agent` must outlive the layer and the graphs of its outputs.
  MoeLayerImpl(const MoeLayerOptions& options, Agent& agent);
  ~MoeLayerImpl() override;

  // `hidden` is [T, H], fp32, on the layer's device; so is the result. Each row
  // is the sum of K experts' outputs, weighted by a softmax over the K chosen
  // gate scores. T may differ from call to call and worker to worker and may be
  // 0.
  //
  // Throws c10::Error, with the status in words, when a peer is gone; so does
  // backward.
  torch::Tensor forward(const torch::Tensor& hidden);

  // Takes the place of the top-k gate's choice from the next call on; the
  // gate's scores still weigh the chosen experts.
  void SetRouter(Router router);

  // Of the last forward.
  const GateLosses& gate_losses() const;

  ExpertStore& experts();
  const ExpertStore& experts() const;

  // Starts to send what the next forward will lend by a plan made ahead; tokens
  // mean nothing. Whatever is under way of an earlier call is waited for. For
  // StepTransfers.
  //
  // Errors: those of the transport.
  absl::Status SendAhead(const RoutedLends& ahead);

  // The moves in the plans since the last call, for StepTransfers; the first of
  // an expert counts.
  std::vector<Move> TakePlannedMoves();
  // Whether no forward waits for its backward.
  bool idle() const;

  // Of the last forward and, once it ran, its backward.
  const MoeLayerTimes& last_times() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};
TORCH_MODULE(MoeLayer);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_MOE_LAYER_H_
