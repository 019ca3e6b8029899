#ifndef BALANCEMOE_WORKER_MOE_CALIBRATION_H_
#define BALANCEMOE_WORKER_MOE_CALIBRATION_H_

#include <torch/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/planning/cost_model.h"
#include "worker/agent/agent.h"
#include "worker/expert/expert_slab.h"

namespace balancemoe::worker {

// Measures what computing and moving experts of `shape`, of each of which the
// optimizer keeps `optimizer_bytes`, costs on this worker, and tells `agent`. A
// collective: all workers compute at the same time, as they do in training, and
// exchange with their neighbours by rank on their node, and with workers half
// the ranks away on other nodes; where there are none, one kind of link stands
// for both. A few rounds, on `device`; under a second for an expert of a few
// MiB.
//
// Processor time that transfers take from compute counts as host time as far as
// other threads of this process used processors meanwhile; what is left of the
// delay counts as overlap slow-down.
//
// Errors: those of the transport.
absl::StatusOr<CostModel> Calibrate(const ExpertShape& shape,
                                    int64_t optimizer_bytes, Agent& agent,
                                    const torch::Device& device = torch::kCPU);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_CALIBRATION_H_
