#ifndef BALANCEMOE_WORKER_CUDA_CUDA_STATUS_H_
#define BALANCEMOE_WORKER_CUDA_CUDA_STATUS_H_

#include <cuda_runtime.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe::worker {

// OK, or "WHAT: CUDA's words": ResourceExhausted for want of memory, else
// Internal.
absl::Status CudaStatus(cudaError_t error, absl::string_view what);

// How many GPUs CUDA shows this process: at least one.
//
// Errors: FailedPrecondition, with the reason: no driver, no GPU.
absl::StatusOr<int> CudaDeviceCount();

// OK when this machine has GPU number `device`.
//
// Errors: FailedPrecondition, with the reason: no driver, no such GPU.
absl::Status CheckCudaDevice(int device);

// Makes `device` the calling thread's. It stays that: to go back to one that
// the thread never asked for would reserve memory on it.
void UseCudaDevice(int device);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_CUDA_CUDA_STATUS_H_
