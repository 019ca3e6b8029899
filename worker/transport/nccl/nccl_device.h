#ifndef BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_DEVICE_H_
#define BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_DEVICE_H_

#include <memory>
#include <string>

#include "worker/transport/nccl/cuda_memory.h"
#include "worker/transport/nccl/cuda_streams.h"
#include "worker/transport/nccl/nccl_transport.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// A GPU that communicates by NCCL.
class NcclDevice final : public StreamDevice {
 public:
  // Errors: FailedPrecondition, there is no such GPU; InvalidArgument, an
  // option makes no sense; Internal, with CUDA's words.
  static absl::StatusOr<std::unique_ptr<StreamDevice>> Open(
      const NcclOptions& options);

  DeviceMemory& memory() override { return memory_; }
  DeviceStreams& streams() override { return *streams_; }
  absl::StatusOr<std::string> NewGroupId() override;
  absl::StatusOr<std::unique_ptr<StreamCommunicators>> Connect(
      absl::string_view group_id, const GroupOptions& group,
      const AbortSignal& abort) override;

 private:
  NcclDevice(const NcclOptions& options, std::unique_ptr<CudaStreams> streams);

  const NcclOptions options_;
  const std::unique_ptr<CudaStreams> streams_;
  CudaMemory memory_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_DEVICE_H_
