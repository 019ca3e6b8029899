#ifndef BALANCEMOE_WORKER_TRAIN_CALIBRATE_JOB_H_
#define BALANCEMOE_WORKER_TRAIN_CALIBRATE_JOB_H_

#include <c10/core/Device.h>

#include "absl/status/statusor.h"
#include "common/planning/cost_model.h"
#include "worker/agent/agent.h"
#include "worker/train/train_options.h"

namespace balancemoe::worker {

// Measures one worker's part of a machine: GEMMs and transfers as a job does at
// attach, and what an inline plan of the coordinator costs. Returns the mean of
// all workers. A collective; `agent` is attached, `device` opened.
//
// Errors: those of the transport and of Agent::PlanLayer.
absl::StatusOr<CostModel> RunCalibrateJob(const TrainOptions& options,
                                          const c10::Device& device,
                                          Agent& agent);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_CALIBRATE_JOB_H_
