#include "worker/transport/nccl/nccl_device.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/cuda/cuda_status.h"
#include "worker/transport/nccl/nccl_communicators.h"

namespace balancemoe::worker {

NcclDevice::NcclDevice(const NcclOptions& options,
                       std::unique_ptr<CudaStreams> streams)
    : options_(options),
      streams_(std::move(streams)),
      memory_(options.device, streams_->copies()) {}

absl::StatusOr<std::unique_ptr<StreamDevice>> NcclDevice::Open(
    const NcclOptions& options) {
  if (options.transfer_ctas < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("transfers on ", options.transfer_ctas,
                     " thread blocks: must be at least 1"));
  }
  BMOE_RETURN_IF_ERROR(CheckCudaDevice(options.device));
  BMOE_ASSIGN_OR_RETURN(auto streams, CudaStreams::Create(options.device));
  return std::unique_ptr<StreamDevice>(
      new NcclDevice(options, std::move(streams)));
}

absl::StatusOr<std::string> NcclDevice::NewGroupId() {
  return NewNcclGroupId();
}

absl::StatusOr<std::unique_ptr<StreamCommunicators>> NcclDevice::Connect(
    absl::string_view group_id, const GroupOptions& group,
    const AbortSignal& abort) {
  UseCudaDevice(options_.device);
  return NcclCommunicators::Connect(std::string(group_id), group, options_,
                                    *streams_, abort);
}

}  // namespace balancemoe::worker
