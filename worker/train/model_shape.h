#ifndef BALANCEMOE_WORKER_TRAIN_MODEL_SHAPE_H_
#define BALANCEMOE_WORKER_TRAIN_MODEL_SHAPE_H_

#include "worker/expert/expert_slab.h"
#include "worker/moe/grouped_ffn.h"
#include "worker/train/train_options.h"

namespace balancemoe::worker {

// Of the experts that the options describe.
inline ExpertShape ExpertShapeOf(const TrainOptions& options) {
  return {
      .hidden = options.hidden, .ffn = options.ffn, .gated = options.swiglu};
}

// How its experts are computed.
inline ExpertKernels KernelsOf(const TrainOptions& options) {
  if (options.dtype == "bf16") return ExpertKernels::kGroupedBf16;
  return options.device == "cuda" ? ExpertKernels::kGrouped
                                  : ExpertKernels::kLoop;
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_MODEL_SHAPE_H_
