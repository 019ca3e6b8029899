#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_COLLECTIVES_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_COLLECTIVES_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/streamed/collective_task.h"
#include "worker/transport/streamed/staging.h"
#include "worker/transport/streamed/streamed_group.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The collectives, each as an exchange of every rank with every other, in
// groups of at most 32 operations; an all-reduce as two: each rank sums its
// share in the order of ranks, then gives it to all. Arguments are checked by
// the caller; an error aborts the group. For one thread at a time.
class StreamedCollectives {
 public:
  // Both must outlive this.
  StreamedCollectives(StreamedGroup& group, StagingPool& staging)
      : group_(group), staging_(staging) {}

  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all, ComputeStream stream);
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes,
                         ComputeStream stream);
  absl::Status AllReduceSum(absl::Span<float> values, ComputeStream stream);
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                         ComputeStream stream);
  absl::Status Barrier();

 private:
  using Work = CollectiveTask::Work;

  DeviceMemory& memory() { return group_.device().memory(); }
  size_t ranks() const {
    return static_cast<size_t>(group_.options().world_size);
  }
  size_t self() const { return group_.options().rank.index(); }

  // Carries `work` out when all ranks have made `call`. With a stream, returns
  // when the work is issued and the stream waits for it.
  absl::Status Run(const CollectiveCall& call, Work work, ComputeStream stream);

  StreamedGroup& group_;
  StagingPool& staging_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_COLLECTIVES_H_
