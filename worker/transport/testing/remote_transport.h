#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_TRANSPORT_H_

#include <memory>
#include <string>

#include "worker/transport/testing/remote_process.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// A transport in another process, so that ranks which must be processes pass
// the conformance suite, whose ranks are threads. Every call is carried out
// there, and bytes are copied both ways. Streams are the other side's affair.
class RemoteTransport final : public Transport {
 public:
  // `folder` exists and is the rendezvous of the group.
  //
  // Errors: those of the factory in the other process.
  static absl::StatusOr<std::unique_ptr<RemoteTransport>> Form(
      const GroupOptions& group, const std::string& folder,
      std::shared_ptr<RemoteProcess> process);
  ~RemoteTransport() override;

  RemoteProcess& process() { return *process_; }

  WorkerRank rank() const override { return group_.rank; }
  int32_t world_size() const override { return group_.world_size; }
  Generation generation() const override { return group_.generation; }
  absl::string_view name() const override { return "remote"; }

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
  RemoteTransport(const GroupOptions& group,
                  std::shared_ptr<RemoteProcess> process);

  // Copies what the answer brings to `result`.
  absl::Status Call(RemoteFrame request, absl::Span<std::byte> result);

  GroupOptions group_;
  // Shared with batches, which may outlive the transport.
  const std::shared_ptr<RemoteProcess> process_;
};

// Transports in processes of `pool`, each group of factories in a folder of its
// own.
TransportFactory RemoteFactory(std::shared_ptr<RemotePool> pool);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_TRANSPORT_H_
