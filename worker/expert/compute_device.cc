#include "worker/expert/compute_device.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/cuda.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

// Found beside the CPU half, through the program's path. Registers itself when
// loaded, and stays.
absl::Status LoadTorchCuda() {
  static const absl::Status loaded = [] {
    if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) {
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError(
        absl::StrCat("Torch's CUDA half cannot be loaded: ", dlerror()));
  }();
  return loaded;
}

}  // namespace

absl::Status OpenComputeDevice(const torch::Device& device) {
  if (!device.is_cuda()) return absl::OkStatus();
  const absl::Status loaded = LoadTorchCuda();
  if (!loaded.ok()) return loaded;
  const auto devices = static_cast<int64_t>(torch::cuda::device_count());
  // Without a number it is the first.
  const int64_t index = std::max<int64_t>(device.index(), 0);
  if (index < devices) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("there is no GPU ", index, ": Torch sees ", devices,
                   "; nvidia-smi says what the driver has"));
}

void AwaitCompute(const torch::Device& device) {
  if (device.is_cpu()) return;
  c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

}  // namespace balancemoe::worker
