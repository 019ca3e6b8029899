#include "worker/transport/streamed/streamed_transfers.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "worker/transport/streamed/started_transfer.h"

namespace balancemoe::worker {
namespace {

class StreamedBatch final : public TransferBatch {
 public:
  StreamedBatch(std::shared_ptr<StreamedProgress> progress,
                std::vector<bool> staged, DeviceStreams& streams)
      : progress_(std::move(progress)),
        staged_(std::move(staged)),
        streams_(streams) {}
  ~StreamedBatch() override { progress_->WaitForAll(); }

  bool Done(size_t index) const override {
    return progress_->finished().Done(index);
  }
  absl::Status Wait(size_t index, ComputeStream stream) override {
    // Bytes for the host's memory are there when the transfer is finished, not
    // when its stream has come so far.
    if (stream.native != nullptr && !staged_[index]) {
      const auto issued = progress_->LetGo(index);
      if (issued != nullptr) return streams_.StreamWaits(stream, *issued);
    }
    return progress_->Wait(index);
  }
  absl::Duration Elapsed(size_t index) const override {
    return progress_->finished().Elapsed(index);
  }

 private:
  // Shared with the transfers: whoever ends last.
  const std::shared_ptr<StreamedProgress> progress_;
  const std::vector<bool> staged_;
  // Used only while a transfer is under way, so while the device is there.
  DeviceStreams& streams_;
};

absl::StatusOr<std::shared_ptr<TransferChecksums>> TakeChecksums(
    StagingPool& staging, size_t transfers) {
  const size_t bytes = transfers * sizeof(uint64_t);
  auto checksums = std::make_shared<TransferChecksums>();
  BMOE_ASSIGN_OR_RETURN(checksums->own,
                        staging.Take(MemoryPlace::kDevice, bytes));
  BMOE_ASSIGN_OR_RETURN(checksums->other,
                        staging.Take(MemoryPlace::kDevice, bytes));
  BMOE_ASSIGN_OR_RETURN(checksums->equal,
                        staging.Take(MemoryPlace::kShared, bytes));
  return checksums;
}

absl::StatusOr<StagedBuffer> Stage(const Transfer& transfer,
                                   DeviceMemory& memory, StagingPool& staging) {
  if (transfer.direction == Transfer::Direction::kReceive) {
    return StagedBuffer::ForWriting(memory, staging, transfer.buffer);
  }
  return StagedBuffer::ForReading(memory, staging, transfer.buffer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TransferBatch>> StartStreamedTransfers(
    StreamedGroup& group, StagingPool& staging,
    absl::Span<const Transfer> transfers) {
  BMOE_RETURN_IF_ERROR(group.status());
  DeviceStreams& streams = group.device().streams();
  auto progress = std::make_shared<StreamedProgress>(transfers.size());
  std::vector<StartedTransfer> started;
  std::vector<bool> staged;
  if (!transfers.empty()) {
    BMOE_ASSIGN_OR_RETURN(const auto after, streams.RecordOn({}));
    BMOE_ASSIGN_OR_RETURN(const auto checksums,
                          TakeChecksums(staging, transfers.size()));
    for (size_t i = 0; i < transfers.size(); ++i) {
      StartedTransfer transfer = {.direction = transfers[i].direction,
                                  .peer = transfers[i].peer,
                                  .bytes = transfers[i].buffer.size()};
      BMOE_ASSIGN_OR_RETURN(
          transfer.buffer,
          Stage(transfers[i], group.device().memory(), staging));
      transfer.after = after;
      transfer.checksums = checksums;
      transfer.progress = progress;
      transfer.index = i;
      staged.push_back(transfer.buffer.staged());
      started.push_back(std::move(transfer));
    }
  }
  BMOE_RETURN_IF_ERROR(group.Start(std::move(started)));
  return std::make_unique<StreamedBatch>(std::move(progress), std::move(staged),
                                         streams);
}

}  // namespace balancemoe::worker
