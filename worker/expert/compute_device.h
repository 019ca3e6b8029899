#ifndef BALANCEMOE_WORKER_EXPERT_COMPUTE_DEVICE_H_
#define BALANCEMOE_WORKER_EXPERT_COMPUTE_DEVICE_H_

#include <torch/types.h>

#include "absl/status/status.h"

namespace balancemoe::worker {

// Makes Torch ready to compute on `device`. For a GPU its CUDA half
// (libtorch_cuda.so), with which no program here is linked, is loaded into the
// process, so that one program serves machines with GPUs and without. Before
// any other use of Torch, which looks for that half once. Thread-safe.
//
// Errors: FailedPrecondition, with the reason in words: Torch's CUDA half
// cannot be loaded, or there is no such GPU.
absl::Status OpenComputeDevice(const torch::Device& device);

// Blocks until `device` has carried out what this thread has put on its current
// stream. On CPUs that is so already.
//
// Transports know nothing of Torch's streams, so it comes before bytes that the
// device wrote leave it. What arrives needs nothing: waiting for a transfer
// blocks the host, and what the host launches afterwards sees the bytes.
void AwaitCompute(const torch::Device& device);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_COMPUTE_DEVICE_H_
