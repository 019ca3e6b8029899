#ifndef BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_TRANSPORT_H_

#include <memory>
#include <vector>

#include "worker/transport/loopback/loopback_group.h"
#include "worker/transport/loopback/loopback_hub.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// One worker's end of a LoopbackHub. Bytes are copied once, by the reader of a
// collective, or by whoever starts the second half of a transfer.
class LoopbackTransport final : public Transport {
 public:
  // `hub` must outlive the transport. Of no use until Form() succeeds.
  LoopbackTransport(const GroupOptions& options, LoopbackHub& hub);
  ~LoopbackTransport() override;

  // Joins the group of `generation` and waits for its other ranks.
  absl::Status Form(Generation generation);

  WorkerRank rank() const override { return options_.rank; }
  int32_t world_size() const override { return options_.world_size; }
  Generation generation() const override { return generation_; }
  absl::string_view name() const override { return "loopback"; }

  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all,
                         ComputeStream stream) override;
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes,
                         ComputeStream stream) override;
  absl::Status AllReduceSum(absl::Span<float> values,
                            ComputeStream stream) override;
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                         ComputeStream stream) override;
  absl::Status Barrier() override;
  absl::StatusOr<std::unique_ptr<TransferBatch>> StartTransfers(
      absl::Span<const Transfer> transfers) override;
  void Abort(absl::Status reason) override;
  absl::Status Rebuild(Generation generation) override;

 private:
  absl::Status Exchange(
      const LoopbackGroup::Offer& offer,
      absl::FunctionRef<absl::Status(absl::Span<const LoopbackGroup::Offer>)>
          read);

  const GroupOptions options_;
  LoopbackHub& hub_;

  Generation generation_;
  // Shared with the batches, which may outlive the transport, and with the
  // other ranks.
  std::shared_ptr<LoopbackGroup> group_;
  // Kept between calls: glibc gives big blocks back to the system each time.
  std::vector<float> sum_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_TRANSPORT_H_
