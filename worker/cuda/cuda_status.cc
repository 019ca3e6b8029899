#include "worker/cuda/cuda_status.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

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

absl::StatusOr<int> CudaDeviceCount() {
  int devices = 0;
  const absl::Status counted =
      CudaStatus(cudaGetDeviceCount(&devices), "no GPU");
  if (!counted.ok()) return absl::FailedPreconditionError(counted.message());
  if (devices == 0) return absl::FailedPreconditionError("no GPU");
  return devices;
}

absl::Status CheckCudaDevice(int device) {
  BMOE_ASSIGN_OR_RETURN(const int devices, CudaDeviceCount());
  if (device >= 0 && device < devices) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("GPU ", device, ": this machine has ", devices));
}

void UseCudaDevice(int device) { cudaSetDevice(device); }

}  // namespace balancemoe::worker
