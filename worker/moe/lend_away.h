#ifndef BALANCEMOE_WORKER_MOE_LEND_AWAY_H_
#define BALANCEMOE_WORKER_MOE_LEND_AWAY_H_

#include <torch/types.h>

#include "worker/moe/layer_pass.h"

namespace balancemoe::worker {

// Home's end of Arrive: stands in the graph for the experts that this worker
// lends in `pass`, so that their parameters get the gradients that come back
// the way those of staying experts get theirs: accumulation, hooks and order
// are autograd's own. An expert's gradient is the sum of home's own part, where
// home computed one, and then of its borrowers', in the plan's order.
//
// Returns a scalar for Dispatch, which has the gradients awaited after the rest
// of the layer's backward; in the usual case, after that of all layers, so that
// they have all that time to come.
torch::Tensor LendAway(const c10::intrusive_ptr<LayerPass>& pass);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_LEND_AWAY_H_
