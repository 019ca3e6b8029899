#include "worker/train/nccl_workers.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "worker/cuda/cuda_status.h"
#include "worker/transport/nccl/nccl_transport.h"

namespace balancemoe::worker {

absl::StatusOr<TransportFactory> NcclWorkers(const TrainOptions& options,
                                             const WorkerPlace& place) {
  const auto gpus = CudaDeviceCount();
  if (!gpus.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("--transport nccl: ", gpus.status().message()));
  }
  if (place.local_world_size > *gpus) {
    constexpr int kKeepTheUsers = 0;
    setenv(
        "NCCL_HOSTID",
        absl::StrCat("balancemoe-", place.node, "-", place.local_rank).c_str(),
        kKeepTheUsers);
  }
  return NcclFactory(
      {.device = place.local_rank % *gpus, .control_address = options.address});
}

}  // namespace balancemoe::worker
