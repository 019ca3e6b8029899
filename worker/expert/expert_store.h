#ifndef BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_
#define BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"

namespace balancemoe::worker {

// Shape of a two-layer GELU expert, H -> F -> H:
//   w1 [F, H], b1 [F], w2 [H, F], b2 [H], fp32.
struct ExpertShape {
  int64_t hidden = 0;
  int64_t ffn = 0;

  int64_t parameters() const { return 2 * hidden * ffn + ffn + hidden; }
  int64_t bytes() const {
    return parameters() * static_cast<int64_t>(sizeof(float));
  }
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_
