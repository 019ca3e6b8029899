#ifndef BALANCEMOE_WORKER_TRAIN_ROUTERS_H_
#define BALANCEMOE_WORKER_TRAIN_ROUTERS_H_

#include <cstdint>

#include "common/ids.h"
#include "worker/moe/moe_layer.h"
#include "worker/train/quota_routing.h"

namespace balancemoe::worker {

// The choice of QuotaAssignment in every step, in the rows of worker `rank`,
// whose batch is an equal part of `spec.tokens`. The learned scores still weigh
// the chosen experts. `spec` must be valid.
Router QuotaRouter(const QuotaSpec& spec, WorkerRank rank, LayerId layer,
                   uint64_t seed);

// The choice of QuotaAssignment for `counts`, those of this worker, whose rows
// are drawn by seed, layer, `row` and rank.
Router CountsRouter(const std::vector<int64_t>& counts, int32_t top_k,
                    WorkerRank rank, LayerId layer, int64_t row, uint64_t seed);

// The highest logits after adding a bias of standard deviation `scale`, the
// same in every step, that makes some experts popular.
Router SkewedRouter(double scale, int64_t experts, int64_t top_k, LayerId layer,
                    uint64_t seed);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_ROUTERS_H_
