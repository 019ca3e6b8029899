#ifndef BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_COMMUNICATORS_H_
#define BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_COMMUNICATORS_H_

#include <nccl.h>

#include <array>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "worker/transport/nccl/cuda_streams.h"
#include "worker/transport/nccl/nccl_transport.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

class NcclCalls;

// Unique ids of the communicators of all lanes, one after the other.
//
// Errors: Unavailable, with NCCL's words.
absl::StatusOr<std::string> NewNcclGroupId();

// NCCL's communicators of a generation, non-blocking: every call returns at
// once and is then polled, so that an abort always gets through.
class NcclCommunicators final : public StreamCommunicators {
 public:
  // `streams` must outlive the communicators.
  //
  // Errors: Unavailable, with NCCL's words, when `abort` is raised, or when the
  // GPU still works for an earlier group; DeadlineExceeded after
  // group.connect_timeout.
  static absl::StatusOr<std::unique_ptr<NcclCommunicators>> Connect(
      const std::string& group_id, const GroupOptions& group,
      const NcclOptions& options, CudaStreams& streams,
      const AbortSignal& abort);
  ~NcclCommunicators() override { Abort(); }

  absl::Status Exchange(StreamLane lane,
                        absl::Span<const StreamMessage> messages,
                        const AbortSignal& abort) override;
  void Abort() override;
  void Disconnect() override;

 private:
  explicit NcclCommunicators(CudaStreams& streams) : streams_(streams) {}

  absl::Status Initialize(StreamLane lane, const ncclUniqueId& id,
                          const GroupOptions& group,
                          const NcclOptions& options);
  // Polls until the lane's communicator has carried out what it was told.
  absl::Status Settle(StreamLane lane, const AbortSignal& abort,
                      absl::Time deadline);
  // Whether both communicators were given back in good order.
  bool Finalize();
  // Calls `end` for every communicator, each in a thread of its own.
  std::shared_ptr<NcclCalls> EndEach(ncclResult_t (*end)(ncclComm_t));

  CudaStreams& streams_;
  // By lane; null in a group of one, and when given back.
  std::array<ncclComm_t, kStreamLanes> communicators_ = {};
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_COMMUNICATORS_H_
