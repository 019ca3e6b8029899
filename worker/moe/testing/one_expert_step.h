#ifndef BALANCEMOE_WORKER_MOE_TESTING_ONE_EXPERT_STEP_H_
#define BALANCEMOE_WORKER_MOE_TESTING_ONE_EXPERT_STEP_H_

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "common/planning/cost_model.h"
#include "common/planning/plan.h"

namespace balancemoe::worker {

// Of each worker, all for expert 0.
inline constexpr int64_t kOneExpertTokens = 40;

// A forward and backward of three workers whose tokens all go to expert 0, at
// home on worker 0.
struct OneExpertStep {
  // Of the expert's w1, when backward has ended.
  torch::Tensor gradient;
  // What each worker's own tokens contribute, by the same GEMMs as the layer's.
  std::array<torch::Tensor, 3> parts;
  // By worker.
  std::array<int64_t, 3> bytes_sent = {};
  int64_t expert_bytes = 0;
};

// `routes` as in WorkerGroupOptions.
OneExpertStep RunOneExpertStep(const std::vector<Lend>& lends,
                               const CostModel& routes);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TESTING_ONE_EXPERT_STEP_H_
