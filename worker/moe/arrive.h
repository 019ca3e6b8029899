#ifndef BALANCEMOE_WORKER_MOE_ARRIVE_H_
#define BALANCEMOE_WORKER_MOE_ARRIVE_H_

#include <cstddef>

#include "worker/expert/expert_slab.h"
#include "worker/moe/layer_pass.h"

namespace balancemoe::worker {

// Waits for the parameters of borrowed expert `i` and gives them. Backward gets
// their gradient as soon as the expert's own backward is done and sends it
// home, while the experts that stayed are still at work: autograd runs what was
// made last first.
ExpertTensors Arrive(const c10::intrusive_ptr<LayerPass>& pass, size_t i);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_ARRIVE_H_
