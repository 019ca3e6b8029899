#include "worker/transport/nccl/cuda_memory.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/cuda/cuda_status.h"

namespace balancemoe::worker {

bool CudaMemory::OnDevice(const void* address) const {
  UseCudaDevice(device_);
  cudaPointerAttributes attributes = {};
  if (!CudaStatus(cudaPointerGetAttributes(&attributes, address), "").ok()) {
    return false;
  }
  if (attributes.type == cudaMemoryTypeManaged) return true;
  return attributes.type == cudaMemoryTypeDevice &&
         attributes.device == device_;
}

absl::StatusOr<std::byte*> CudaMemory::Allocate(MemoryPlace place,
                                                size_t bytes) {
  UseCudaDevice(device_);
  void* memory = nullptr;
  const cudaError_t error =
      place == MemoryPlace::kDevice
          ? cudaMalloc(&memory, bytes)
          : cudaHostAlloc(&memory, bytes, cudaHostAllocMapped);
  BMOE_RETURN_IF_ERROR(CudaStatus(
      error, absl::StrCat("GPU ", device_, ": ", bytes, " bytes for staging")));
  return static_cast<std::byte*>(memory);
}

void CudaMemory::Free(MemoryPlace place, std::byte* memory) {
  UseCudaDevice(device_);
  if (place == MemoryPlace::kDevice) {
    cudaFree(memory);
  } else {
    cudaFreeHost(memory);
  }
}

absl::Status CudaMemory::CopyIn(std::byte* device,
                                absl::Span<const std::byte> host) {
  UseCudaDevice(device_);
  BMOE_RETURN_IF_ERROR(
      CudaStatus(cudaMemcpyAsync(device, host.data(), host.size(),
                                 cudaMemcpyHostToDevice, copies_),
                 "copying to the GPU"));
  return CudaStatus(cudaStreamSynchronize(copies_), "copying to the GPU");
}

absl::Status CudaMemory::CopyOut(absl::Span<std::byte> host,
                                 const std::byte* device) {
  UseCudaDevice(device_);
  BMOE_RETURN_IF_ERROR(
      CudaStatus(cudaMemcpyAsync(host.data(), device, host.size(),
                                 cudaMemcpyDeviceToHost, copies_),
                 "copying from the GPU"));
  return CudaStatus(cudaStreamSynchronize(copies_), "copying from the GPU");
}

}  // namespace balancemoe::worker
