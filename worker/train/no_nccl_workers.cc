// Where there was no CUDA toolkit or no NCCL to build with.
#include "worker/train/nccl_workers.h"

namespace balancemoe::worker {

absl::StatusOr<TransportFactory> NcclWorkers(const TrainOptions& /*options*/,
                                             const WorkerPlace& /*place*/) {
  return absl::InvalidArgumentError(
      "--transport nccl: this program was built without NCCL; build it where a "
      "CUDA toolkit and NCCL are installed, or use gloo");
}

}  // namespace balancemoe::worker
