#ifndef BALANCEMOE_WORKER_MOE_EXPERT_FFN_H_
#define BALANCEMOE_WORKER_MOE_EXPERT_FFN_H_

#include <torch/types.h>

#include <cstddef>
#include <optional>

#include "worker/expert/expert_slab.h"
#include "worker/moe/layer_pass.h"

namespace balancemoe::worker {

// What a forward leaves for its backward.
struct FfnActivations {
  // x w1^T + b1: [n, F], or [n, 2F] of a SwiGLU expert, gate and values.
  torch::Tensor before;
  // What comes of it, [n, F].
  torch::Tensor after;
};

// The elementwise part, [n, F or 2F] to [n, F], and its backward.
torch::Tensor FfnActivate(const torch::Tensor& before, bool gated);
torch::Tensor FfnActivateBackward(const torch::Tensor& gradient_after,
                                  const torch::Tensor& before, bool gated);

// One expert over its batch `x`, [n, H]; [n, H]. With z = x w1^T + b1 it is
// GELU(z) w2^T + b2, or, of a SwiGLU expert, (SiLU(gate of z) * values of z)
// w2^T + b2 (arXiv:2002.05202, equation 6, with biases). No autograd.
torch::Tensor FfnForward(const torch::Tensor& x,
                         const ExpertTensors& parameters,
                         FfnActivations& activations);

// Writes the parameters' gradients to `gradient` and returns that of `x`. One
// GEMM per matrix over the whole batch: the same bits wherever it runs.
torch::Tensor FfnBackward(const torch::Tensor& gradient_out,
                          const torch::Tensor& x,
                          const FfnActivations& activations,
                          const ExpertTensors& parameters,
                          const ExpertTensors& gradient);

// One expert's computation within `pass`, with autograd. `borrowed` is the
// index of a borrowed expert, whose gradient is computed where it is sent from.
torch::Tensor ExpertFfn(const c10::intrusive_ptr<LayerPass>& pass,
                        const torch::Tensor& x, const ExpertTensors& parameters,
                        std::optional<size_t> borrowed);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_EXPERT_FFN_H_
