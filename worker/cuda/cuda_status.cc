#include "worker/cuda/cuda_status.h"

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {

absl::Status CudaStatus(cudaError_t error, absl::string_view what) {
  if (error == cudaSuccess) return absl::OkStatus();
  // Else the next call that asks for the last error would be blamed.
  cudaGetLastError();
  const auto code = error == cudaErrorMemoryAllocation
                        ? absl::StatusCode::kResourceExhausted
                        : absl::StatusCode::kInternal;
  return {code, absl::StrCat(what, ": ", cudaGetErrorString(error))};
}

absl::Status CheckCudaDevice(int device) {
  int devices = 0;
  const absl::Status counted =
      CudaStatus(cudaGetDeviceCount(&devices), "no GPU");
  if (!counted.ok()) return absl::FailedPreconditionError(counted.message());
  if (device >= 0 && device < devices) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("GPU ", device, ": this machine has ", devices));
}

void UseCudaDevice(int device) { cudaSetDevice(device); }

}  // namespace balancemoe::worker
