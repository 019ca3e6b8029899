#ifndef BALANCEMOE_WORKER_TRAIN_WORKER_DEVICE_H_
#define BALANCEMOE_WORKER_TRAIN_WORKER_DEVICE_H_

#include <torch/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_place.h"

namespace balancemoe::worker {

// What --device means for the worker at `place`, ready to compute on: of a
// machine's GPUs each of its workers takes one in turn, and where there are too
// few they share.
//
// Errors: those of OpenComputeDevice; FailedPrecondition without any GPU.
absl::StatusOr<torch::Device> OpenWorkerDevice(const TrainOptions& options,
                                               const WorkerPlace& place);

// Threads that one of `local_workers` workers computes with on this machine.
// Sets them for the calling thread.
void ShareCores(int32_t local_workers);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_WORKER_DEVICE_H_
