#include "worker/transport/streamed/round_task.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

constexpr StreamLane kLane = StreamLane::kTransfers;

std::byte* AsBytes(uint64_t* word) {
  return reinterpret_cast<std::byte*>(word);
}

}  // namespace

RoundTask::RoundTask(std::vector<Entry> entries, DeviceStreams& streams,
                     OnCorruption on_corruption)
    : entries_(std::move(entries)),
      streams_(streams),
      on_corruption_(std::move(on_corruption)) {}

bool RoundTask::HasWork() const {
  return std::any_of(entries_.begin(), entries_.end(), Moves);
}

absl::Status RoundTask::ChecksumBytes(const StartedTransfer& transfer) {
  return streams_.Checksum(kLane, transfer.buffer.device(), transfer.bytes,
                           transfer.own_checksum());
}

std::vector<StreamMessage> RoundTask::Messages() const {
  std::vector<StreamMessage> messages;
  for (const Entry& entry : entries_) {
    if (!Moves(entry)) continue;
    const StartedTransfer& transfer = entry.transfer;
    messages.push_back({transfer.direction, transfer.peer,
                        transfer.buffer.device(), transfer.bytes});
    messages.push_back({transfer.direction, transfer.peer,
                        AsBytes(transfer.sends() ? transfer.own_checksum()
                                                 : transfer.other_checksum()),
                        sizeof(uint64_t)});
  }
  return messages;
}

absl::StatusOr<std::shared_ptr<StreamEvent>> RoundTask::Issue(
    StreamCommunicators& communicators, const AbortSignal& abort) {
  for (const Entry& entry : entries_) {
    if (!Moves(entry)) continue;
    BMOE_RETURN_IF_ERROR(streams_.LaneWaits(kLane, *entry.transfer.after));
    if (entry.transfer.sends()) {
      BMOE_RETURN_IF_ERROR(ChecksumBytes(entry.transfer));
    }
  }
  BMOE_RETURN_IF_ERROR(communicators.Exchange(kLane, Messages(), abort));
  for (const Entry& entry : entries_) {
    if (!Moves(entry) || entry.transfer.sends()) continue;
    BMOE_RETURN_IF_ERROR(ChecksumBytes(entry.transfer));
    BMOE_RETURN_IF_ERROR(streams_.Compare(kLane, entry.transfer.own_checksum(),
                                          entry.transfer.other_checksum(),
                                          entry.transfer.equal()));
  }
  BMOE_ASSIGN_OR_RETURN(auto event, streams_.Record(kLane));
  for (const Entry& entry : entries_) {
    if (!Moves(entry)) continue;
    entry.transfer.progress->Issued(entry.transfer.index, event);
  }
  return event;
}

absl::Status RoundTask::Result(Entry& entry) const {
  StartedTransfer& transfer = entry.transfer;
  if (transfer.sends()) return absl::OkStatus();
  if (transfer.bytes != entry.other_bytes) {
    return absl::DataLossError(
        absl::StrCat("worker ", transfer.peer.value(), " sent ",
                     entry.other_bytes, " bytes, expected ", transfer.bytes));
  }
  if (transfer.bytes == 0) return absl::OkStatus();
  if (*transfer.equal() != 1) {
    return absl::DataLossError(
        absl::StrCat("worker ", transfer.peer.value(), " sent ", transfer.bytes,
                     " bytes, which arrived with another checksum"));
  }
  return transfer.buffer.CopyOut();
}

void RoundTask::Finish(const absl::Status& status) {
  for (Entry& entry : entries_) {
    const absl::Status result = status.ok() ? Result(entry) : status;
    const bool let_go =
        entry.transfer.progress->Finish(entry.transfer.index, result);
    if (let_go && absl::IsDataLoss(result)) on_corruption_(result.message());
  }
}

}  // namespace balancemoe::worker
