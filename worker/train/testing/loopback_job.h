#ifndef BALANCEMOE_WORKER_TRAIN_TESTING_LOOPBACK_JOB_H_
#define BALANCEMOE_WORKER_TRAIN_TESTING_LOOPBACK_JOB_H_

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "worker/agent/agent.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_place.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

using TrainReport = nlohmann::ordered_json;

// A model and a run that take a moment.
TrainOptions SmallModel();

// What one worker of a job does.
using ThreadWorker = std::function<absl::StatusOr<TrainReport>(
    const TrainOptions& options, const WorkerPlace& place,
    const torch::Device& device, Agent& agent)>;

// What the workers of a job run on.
struct JobMachine {
  TransportFactory transport;
  std::function<torch::Device(WorkerRank)> device;
};

// Runs a job of threads, planned in the same process, by a cost model by which
// experts are cheap to send and slow to compute: lends pay, and nothing depends
// on how fast the machine is. Returns rank 0's result, or the error of the
// first worker that has one.
absl::StatusOr<TrainReport> RunInThreads(TrainOptions options, int32_t workers,
                                         const JobMachine& machine,
                                         const ThreadWorker& worker);

// RunTrainJob, without a progress bar.
absl::StatusOr<TrainReport> RunTrainJobQuietly(const TrainOptions& options,
                                               const WorkerPlace& place,
                                               const torch::Device& device,
                                               Agent& agent);

// On CPUs, over loopback; the second one runs RunTrainJobQuietly.
absl::StatusOr<TrainReport> RunOverLoopback(const TrainOptions& options,
                                            int32_t workers,
                                            const ThreadWorker& worker);
absl::StatusOr<TrainReport> TrainOverLoopback(const TrainOptions& options,
                                              int32_t workers);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TESTING_LOOPBACK_JOB_H_
