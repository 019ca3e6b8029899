#ifndef BALANCEMOE_WORKER_MOE_DISPATCH_H_
#define BALANCEMOE_WORKER_MOE_DISPATCH_H_

#include <torch/types.h>

#include "worker/moe/layer_pass.h"

namespace balancemoe::worker {

// What came of a dispatch.
struct Dispatched {
  // Ties Combine to this dispatch in the graph, also on a worker that computes
  // no token at all.
  torch::Tensor link;
  // By expert computed here: its rows from all workers, [*, H], ordered by
  // source worker, then position.
  std::vector<torch::Tensor> batches;
};

// Sends each token of `hidden`, [T, H], to the workers that compute its
// experts. Backward brings the tokens' gradients back and adds them up in the
// order of the token's choices, whoever computed them.
// `lent` comes from Lend.
Dispatched Dispatch(const c10::intrusive_ptr<LayerPass>& pass,
                    const torch::Tensor& hidden, const torch::Tensor& lent);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_DISPATCH_H_
