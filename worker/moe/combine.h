#ifndef BALANCEMOE_WORKER_MOE_COMBINE_H_
#define BALANCEMOE_WORKER_MOE_COMBINE_H_

#include <torch/types.h>

#include <vector>

#include "worker/moe/layer_pass.h"

namespace balancemoe::worker {

// Sends the experts' outputs, one tensor per batch of the dispatch, back to
// where the tokens are: [T * K, H], ordered by token, then choice. Its backward
// is the first step of the layer's.
torch::Tensor Combine(const c10::intrusive_ptr<LayerPass>& pass,
                      const torch::Tensor& link,
                      const std::vector<torch::Tensor>& outputs);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_COMBINE_H_
