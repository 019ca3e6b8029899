#ifndef BALANCEMOE_WORKER_MOE_CALIBRATION_H_
#define BALANCEMOE_WORKER_MOE_CALIBRATION_H_

#include <torch/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/planning/cost_model.h"
#include "worker/agent/agent.h"
#include "worker/expert/expert_slab.h"
#include "worker/moe/grouped_ffn.h"

namespace balancemoe::worker {

struct CalibrationOptions {
  ExpertShape shape;
  // What the optimizer keeps of each expert.
  int64_t optimizer_bytes = 0;
  ExpertKernels kernels = ExpertKernels::kLoop;
  torch::Device device = torch::kCPU;
};

// Measures what computing and moving such experts costs on this worker, and
// tells `agent`. A collective: all workers compute at the same time, as they do
// in training, and exchange with their neighbours by rank on their node, and
// with workers half the ranks away on other nodes; where there are none, one
// kind of link stands for both. A few rounds; some three seconds for an expert
// of a few MiB.
//
// What is computed counts until the slowest worker is done, and what travels
// goes both ways at once, as tokens do.
//
// Processor time that transfers take from compute counts as host time as far as
// other threads of this process used processors meanwhile; what is left of the
// delay counts as overlap slow-down.
//
// Errors: those of the transport.
absl::StatusOr<CostModel> Calibrate(const CalibrationOptions& options,
                                    Agent& agent);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_CALIBRATION_H_
