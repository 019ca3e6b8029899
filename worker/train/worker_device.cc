#include "worker/train/worker_device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <sched.h>
#include <torch/cuda.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/expert/compute_device.h"

namespace balancemoe::worker {
namespace {

absl::Status Open(const torch::Device& device) {
  const absl::Status opened = OpenComputeDevice(device);
  if (opened.ok()) return opened;
  return absl::FailedPreconditionError(
      absl::StrCat("--device cuda: ", opened.message()));
}

}  // namespace

absl::StatusOr<torch::Device> OpenWorkerDevice(const TrainOptions& options,
                                               const WorkerPlace& place) {
  if (options.device == "cpu") return torch::Device(torch::kCPU);
  // Same seed, same bits: kernels that add in any order are not used where
  // there are others.
  constexpr int kKeepTheUsers = 0;
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", kKeepTheUsers);
  BMOE_RETURN_IF_ERROR(Open(torch::Device(torch::kCUDA, 0)));
  at::globalContext().setDeterministicAlgorithms(/*b=*/true,
                                                 /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  const auto gpus = static_cast<int32_t>(torch::cuda::device_count());
  return torch::Device(torch::kCUDA,
                       static_cast<c10::DeviceIndex>(place.local_rank % gpus));
}

void ShareCores(int32_t local_workers) {
  // What this process may use, which in a container is less than there is.
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const int cores = sched_getaffinity(0, sizeof(allowed), &allowed) == 0
                        ? CPU_COUNT(&allowed)
                        : 1;
  at::set_num_threads(std::max(1, cores / local_workers));
}

}  // namespace balancemoe::worker
