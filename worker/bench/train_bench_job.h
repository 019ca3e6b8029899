#ifndef BALANCEMOE_WORKER_BENCH_TRAIN_BENCH_JOB_H_
#define BALANCEMOE_WORKER_BENCH_TRAIN_BENCH_JOB_H_

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "worker/agent/agent.h"
#include "worker/bench/train_blocks.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_place.h"

namespace balancemoe::worker {

// One worker of `balancemoe-bench train`: in each round, every policy trains
// from the same state on the same batches. Rank 0 switches policies, shows
// progress on standard error and returns the bench's report. A collective.
//
// Errors: FailedPrecondition when a policy does not come into force; Internal
// when losses differ between policies; those of Trainer::Step.
absl::StatusOr<nlohmann::ordered_json> RunTrainBench(
    const TrainBenchOptions& bench, const TrainOptions& options,
    const WorkerPlace& place, const c10::Device& device, Agent& agent);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_TRAIN_BENCH_JOB_H_
