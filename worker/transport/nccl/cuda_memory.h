#ifndef BALANCEMOE_WORKER_TRANSPORT_NCCL_CUDA_MEMORY_H_
#define BALANCEMOE_WORKER_TRANSPORT_NCCL_CUDA_MEMORY_H_

#include <cuda_runtime.h>

#include <cstddef>

#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// Memory of a GPU; shared memory is page-locked memory of the host. Copies have
// a stream of their own, so that none waits for communication. Thread-safe.
class CudaMemory final : public DeviceMemory {
 public:
  // `copies` must outlive this.
  CudaMemory(int device, cudaStream_t copies)
      : device_(device), copies_(copies) {}

  bool OnDevice(const void* address) const override;
  absl::StatusOr<std::byte*> Allocate(MemoryPlace place, size_t bytes) override;
  void Free(MemoryPlace place, std::byte* memory) override;
  absl::Status CopyIn(std::byte* device,
                      absl::Span<const std::byte> host) override;
  absl::Status CopyOut(absl::Span<std::byte> host,
                       const std::byte* device) override;

 private:
  const int device_;
  const cudaStream_t copies_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_NCCL_CUDA_MEMORY_H_
