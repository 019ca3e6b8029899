#ifndef BALANCEMOE_WORKER_TRAIN_MOE_GPT_H_
#define BALANCEMOE_WORKER_TRAIN_MOE_GPT_H_

#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/ids.h"
#include "worker/agent/agent.h"
#include "worker/moe/moe_layer.h"

namespace balancemoe::worker {

// Dimensions, in every shape below:
//   B  sequences in the batch     S  tokens per sequence
//   H  hidden size                V  different bytes, 256

struct MoeGptOptions {
  int32_t layers = 2;
  int64_t seq = 128;
  int64_t hidden = 256;
  int64_t ffn = 1024;
  // SwiGLU experts instead of GELU.
  bool gated = false;
  int64_t heads = 4;
  int64_t experts = 8;
  int64_t top_k = 2;
  // As in MoeLayerOptions.
  double capacity_factor = 0;
  uint64_t seed = 1;
  // As MoeLayerOptions::moments.
  int32_t moments = 0;
  // As MoeLayerOptions::pace.
  std::optional<ComputePace> pace = {};
  // As in MoeLayerOptions.
  bool split_peer_wait = false;
  // As in MoeLayerOptions; all of the model lies there.
  torch::Device device = torch::kCPU;
  ExpertKernels kernels = ExpertKernels::kLoop;
};

// A GPT over bytes whose blocks have a MoE layer each instead of a dense
// feed-forward layer. All but the experts is replicated: equal seeds give equal
// values on every worker.
class MoeGptImpl : public torch::nn::Module {
 public:
  // `agent` must outlive the model.
  MoeGptImpl(const MoeGptOptions& options, Agent& agent);

  // `bytes` is [B, S], int64, on the model's device; the result [B * S, V],
  // logits of each next byte.
  torch::Tensor forward(const torch::Tensor& bytes);

  // Means over the layers, of the last forward.
  GateLosses gate_losses() const;

  const std::vector<MoeLayer>& moe_layers() const { return moe_layers_; }

  // Parameters that every worker has, by name, in a fixed order.
  std::vector<std::pair<std::string, torch::Tensor>> ReplicatedParameters()
      const;

  // By which named_parameters() has an expert's tensors, "w1" for one, where
  // it lives.
  static std::string ExpertName(LayerId layer, ExpertId expert,
                                absl::string_view tensor);

 private:
  class BlockImpl;
  TORCH_MODULE(Block);

  void InitialiseDense(uint64_t seed, const torch::Device& device);

  torch::nn::Embedding token_embedding_{nullptr};
  torch::nn::Embedding position_embedding_{nullptr};
  std::vector<Block> blocks_;
  std::vector<MoeLayer> moe_layers_;
  torch::nn::LayerNorm final_norm_{nullptr};
  torch::nn::Linear head_{nullptr};
};
TORCH_MODULE(MoeGpt);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_MOE_GPT_H_
