#ifndef BALANCEMOE_WORKER_CUDA_STREAM_KERNELS_H_
#define BALANCEMOE_WORKER_CUDA_STREAM_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace balancemoe::worker {

// Kernels, each put on `stream`, a cudaStream_t of the calling thread's device.
// Memory is the device's unless said otherwise. They return a cudaError_t as a
// number, 0 for success, so that this header needs no CUDA.

// Loads all kernels. Without it the first launch of each would, and loading may
// wait for all work under way: for ever, when that waits for a peer that died.
int LoadStreamKernels();

// sum[i] = ((parts[0][i] + parts[1][i]) + ...), `parts` [ranks, count], in
// float32 without fused or reordered operations: the bits of a CPU's sum.
int LaunchSumInRankOrder(float* sum, const float* parts, size_t count,
                         int ranks, void* stream);

// Writes a 64-bit checksum of `bytes` bytes to `checksum`, 8 bytes aligned. It
// depends on every byte and its place; against corruption, not forgery.
int LaunchChecksum(const void* from, size_t bytes, uint64_t* checksum,
                   void* stream);

// Sets `equal`, which may be mapped memory of the host, to 1 when `one` and
// `other` hold the same, else to 0.
int LaunchCompare(const uint64_t* one, const uint64_t* other, uint64_t* equal,
                  void* stream);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_CUDA_STREAM_KERNELS_H_
