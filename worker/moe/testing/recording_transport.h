#ifndef BALANCEMOE_WORKER_MOE_TESTING_RECORDING_TRANSPORT_H_
#define BALANCEMOE_WORKER_MOE_TESTING_RECORDING_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Tells a test, in the training thread's order, what a layer asks of its
// transport: "all-gather", "barrier", "send to 1", "receive from 0", "wait",
// "all-to-all".
class RecordingTransport final : public Transport {
 public:
  using Observer = std::function<absl::Status(const std::string& event)>;

  RecordingTransport(std::unique_ptr<Transport> transport, Observer observer)
      : transport_(std::move(transport)), observer_(std::move(observer)) {}

  WorkerRank rank() const override { return transport_->rank(); }
  int32_t world_size() const override { return transport_->world_size(); }
  Generation generation() const override { return transport_->generation(); }
  absl::string_view name() const override { return transport_->name(); }
  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all,
                         ComputeStream stream) override {
    BMOE_RETURN_IF_ERROR(observer_("all-gather"));
    return transport_->AllGather(mine, all, stream);
  }
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes,
                         ComputeStream stream) override {
    BMOE_RETURN_IF_ERROR(observer_("all-to-all"));
    return transport_->AllToAllV(send, send_bytes, receive, receive_bytes,
                                 stream);
  }
  absl::Status AllReduceSum(absl::Span<float> values,
                            ComputeStream stream) override {
    return transport_->AllReduceSum(values, stream);
  }
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                         ComputeStream stream) override {
    return transport_->Broadcast(bytes, root, stream);
  }
  absl::Status Barrier() override {
    BMOE_RETURN_IF_ERROR(observer_("barrier"));
    return transport_->Barrier();
  }
  absl::StatusOr<std::unique_ptr<TransferBatch>> StartTransfers(
      absl::Span<const Transfer> transfers) override {
    for (const Transfer& transfer : transfers) {
      BMOE_RETURN_IF_ERROR(observer_(absl::StrCat(
          transfer.direction == Transfer::Direction::kSend ? "send to "
                                                           : "receive from ",
          transfer.peer.value())));
    }
    auto batch = transport_->StartTransfers(transfers);
    if (!batch.ok()) return batch.status();
    return std::make_unique<Batch>(*std::move(batch), observer_);
  }
  void Abort(absl::Status reason) override { transport_->Abort(reason); }
  absl::Status Rebuild(Generation generation) override {
    return transport_->Rebuild(generation);
  }

 private:
  class Batch final : public TransferBatch {
   public:
    Batch(std::unique_ptr<TransferBatch> batch, const Observer& observer)
        : batch_(std::move(batch)), observer_(observer) {}
    bool Done(size_t index) const override { return batch_->Done(index); }
    absl::Status Wait(size_t index, ComputeStream stream) override {
      BMOE_RETURN_IF_ERROR(observer_("wait"));
      return batch_->Wait(index, stream);
    }
    absl::Duration Elapsed(size_t index) const override {
      return batch_->Elapsed(index);
    }

   private:
    const std::unique_ptr<TransferBatch> batch_;
    const Observer observer_;
  };

  const std::unique_ptr<Transport> transport_;
  const Observer observer_;
};

// Every worker's transport tells the observer that `observer_of` gives for it;
// an empty one is told nothing.
inline TransportFactory Recorded(
    TransportFactory factory,
    std::function<RecordingTransport::Observer(WorkerRank)> observer_of) {
  return [factory = std::move(factory), observer_of = std::move(observer_of)](
             const GroupOptions& group, Rendezvous& rendezvous)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    RecordingTransport::Observer observer = observer_of(group.rank);
    auto transport = factory(group, rendezvous);
    if (!transport.ok() || !observer) return transport;
    return std::make_unique<RecordingTransport>(*std::move(transport),
                                                std::move(observer));
  };
}

// Worker 1's transfers come to a bad end.
inline TransportFactory WithDamageAtWorkerOne(TransportFactory factory) {
  return Recorded(
      std::move(factory), [](WorkerRank rank) -> RecordingTransport::Observer {
        if (rank != WorkerRank(1)) return nullptr;
        return [](const std::string& what) {
          return what == "wait" ? absl::DataLossError("checksum differs")
                                : absl::OkStatus();
        };
      });
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TESTING_RECORDING_TRANSPORT_H_
