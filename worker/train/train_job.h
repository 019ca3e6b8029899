#ifndef BALANCEMOE_WORKER_TRAIN_TRAIN_JOB_H_
#define BALANCEMOE_WORKER_TRAIN_TRAIN_JOB_H_

#include <torch/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/status/statusor.h"
#include "common/planning/cost_model.h"
#include "worker/agent/agent.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_place.h"

namespace balancemoe::worker {

// Runs one worker of a training run from its first step to its report. Rank 0
// shows progress on `progress` and returns the train report; the others return
// null. A collective of all workers; `agent` is attached, `device` opened.
//
// Errors: InvalidArgument for an unusable text; those of Trainer::Step.
absl::StatusOr<nlohmann::ordered_json> RunTrainJob(const TrainOptions& options,
                                                   const WorkerPlace& place,
                                                   const torch::Device& device,
                                                   Agent& agent,
                                                   std::ostream& progress);

// What training as `options` say costs on this worker. A collective.
//
// Errors: those of Calibrate.
absl::StatusOr<CostModel> CalibrateFor(const TrainOptions& options,
                                       const torch::Device& device,
                                       Agent& agent);

// Gives `agent` the cost model that coordinators plan with: that of the file of
// --cost-model, that of --pace, else what is measured now on `device`. A
// collective; from then on there are lends.
//
// Errors: InvalidArgument for a file; those of Calibrate.
absl::Status GiveCostModel(const TrainOptions& options,
                           const torch::Device& device, Agent& agent);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TRAIN_JOB_H_
