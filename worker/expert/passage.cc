#include "worker/expert/passage.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

// A cache line, and whole floats.
constexpr size_t kLine = 64;

}  // namespace

absl::Span<std::byte> PartOf(absl::Span<std::byte> bytes, size_t parts,
                             size_t part) {
  const size_t lines = (bytes.size() + kLine - 1) / kLine;
  const size_t begin = lines * part / parts * kLine;
  const size_t end = std::min(bytes.size(), lines * (part + 1) / parts * kLine);
  return bytes.subspan(begin, end - begin);
}

Passage::~Passage() {
  if (relay_.joinable()) relay_.join();
  if (!on_its_way_) GiveUp(absl::CancelledError("there was nothing to send"));
  if (through_) return;
  // What has started still reads the buffers.
  for (const Outgoing& outgoing : outgoing_) {
    for (const auto& part : outgoing.parts) part->Wait().IgnoreError();
  }
}

absl::Status Passage::Receive(WorkerRank peer, absl::Span<std::byte> bytes) {
  std::vector<Transfer> transfers;
  for (size_t part = 0; part < parts_; ++part) {
    transfers.push_back(
        {Transfer::Direction::kReceive, peer, PartOf(bytes, parts_, part)});
  }
  BMOE_ASSIGN_OR_RETURN(auto batch, transport_.StartTransfers(transfers));
  incoming_.push_back(std::move(batch));
  received_.push_back(false);
  return absl::OkStatus();
}

void Passage::Hold(WorkerRank peer, absl::Span<std::byte> bytes) {
  Outgoing& outgoing = outgoing_.emplace_back();
  outgoing.peer = peer;
  for (size_t part = 0; part < parts_; ++part) {
    outgoing.parts.push_back(sends_.Hold(peer, PartOf(bytes, parts_, part)));
  }
}

void Passage::ReleaseAll() {
  on_its_way_ = true;
  // The last first: what waits for its turn starts together with the first.
  for (size_t part = parts_; part-- > 0;) Release(part);
}

void Passage::Release(size_t part) {
  for (const Outgoing& outgoing : outgoing_) {
    sends_.Release(outgoing.peer, *outgoing.parts[part]);
  }
}

void Passage::GiveUp(const absl::Status& why) {
  for (const Outgoing& outgoing : outgoing_) {
    for (const auto& part : outgoing.parts) {
      sends_.GiveUp(outgoing.peer, *part, why);
    }
  }
}

// A thread that waits, because transports tell nobody when something arrives.
// It lives as long as one expert travels; a plan has a few of them.
void Passage::PassOn(std::function<void(size_t part)> join) {
  on_its_way_ = true;
  relay_ = std::thread([this, join = std::move(join)] {
    for (size_t part = 0; part < parts_; ++part) {
      const absl::Status status = AwaitPart(part);
      if (!status.ok()) {
        GiveUp(status);
        return;
      }
      if (join) join(part);
      Release(part);
    }
  });
  pthread_setname_np(relay_.native_handle(), "bm-relay");
}

absl::Status Passage::AwaitPart(size_t part) {
  for (const auto& batch : incoming_) {
    BMOE_RETURN_IF_ERROR(batch->Wait(part, ComputeStream{}));
  }
  return absl::OkStatus();
}

absl::Status Passage::AwaitReceived(size_t i) {
  if (received_[i]) return absl::OkStatus();
  for (size_t part = 0; part < parts_; ++part) {
    BMOE_RETURN_IF_ERROR(incoming_[i]->Wait(part, ComputeStream{}));
  }
  received_[i] = true;
  return absl::OkStatus();
}

absl::Status Passage::AwaitAll() {
  for (size_t i = 0; i < incoming_.size(); ++i) {
    BMOE_RETURN_IF_ERROR(AwaitReceived(i));
  }
  for (const Outgoing& outgoing : outgoing_) {
    for (const auto& part : outgoing.parts) BMOE_RETURN_IF_ERROR(part->Wait());
  }
  through_ = true;
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
