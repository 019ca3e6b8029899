#ifndef BALANCEMOE_WORKER_MOE_TESTING_SMALL_LAYER_H_
#define BALANCEMOE_WORKER_MOE_TESTING_SMALL_LAYER_H_

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {

inline constexpr int64_t kHidden = 12;
inline constexpr int64_t kFfn = 20;
inline constexpr int64_t kExperts = 4;

inline MoeLayerOptions SmallLayer() {
  return {.hidden = kHidden, .ffn = kFfn, .experts = kExperts, .top_k = 2};
}

inline WorkerGroupOptions SmallGroup(int32_t workers, LendChooser lends) {
  return {.workers = workers,
          .experts = kExperts,
          .expert_bytes = ExpertShape{kHidden, kFfn}.bytes(),
          .lends = std::move(lends)};
}

// Worker 0 lends its experts 0 and 1 to worker 1.
inline std::vector<Lend> LendAllOfWorkerZero(Iteration, LayerId,
                                             const LayerRouting&) {
  return {{ExpertId(1), WorkerRank(0), WorkerRank(1)},
          {ExpertId(0), WorkerRank(0), WorkerRank(1)}};
}

// What the forward's error says; empty when there is none.
inline std::string ForwardError(MoeLayer& layer, const torch::Tensor& input) {
  try {
    layer->forward(input);
  } catch (const c10::Error& error) {
    return error.what();
  }
  return "";
}

inline torch::Tensor Input(int32_t rank, int64_t tokens = 30) {
  return Values({tokens, kHidden}, static_cast<uint64_t>(10 + rank))
      .requires_grad_();
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TESTING_SMALL_LAYER_H_
