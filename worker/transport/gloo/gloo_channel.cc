#include "worker/transport/gloo/gloo_channel.h"

#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "worker/transport/gloo/gloo_tags.h"

namespace balancemoe::worker {
namespace {

const char* NameOf(GlooMessageKind kind) {
  switch (kind) {
    case GlooMessageKind::kAllGather:
      return "all-gather";
    case GlooMessageKind::kAllToAll:
      return "all-to-all";
    case GlooMessageKind::kReduceScatter:
      return "all-reduce";
    case GlooMessageKind::kBroadcast:
      return "broadcast";
    case GlooMessageKind::kBarrier:
      return "barrier";
    case GlooMessageKind::kTransfer:
      return "transfer";
  }
  return "unknown message";
}

}  // namespace

GlooChannel::GlooChannel(GlooGroup& group, GlooPurpose purpose, WorkerRank peer)
    : group_(group),
      purpose_(purpose),
      peer_(peer),
      head_out_buffer_(group, purpose, peer, &head_out_, sizeof(head_out_)),
      head_in_buffer_(group, purpose, peer, &head_in_, sizeof(head_in_)) {}

void GlooChannel::Open() { PostHead(); }

void GlooChannel::PostHead() {
  head_in_buffer_.Receive(HeadTag(receives_), sizeof(head_in_));
}

void GlooChannel::StartSend(GlooMessageKind kind,
                            absl::Span<const std::byte> bytes) {
  head_out_.kind = kind;
  head_out_.number = sends_;
  head_out_.bytes = bytes.size();
  head_out_.checksum = Checksum(bytes);
  const bool inlined = bytes.size() <= kInlineBytes;
  if (inlined && !bytes.empty()) {
    std::memcpy(head_out_.inlined.data(), bytes.data(), bytes.size());
  }
  head_out_buffer_.Send(HeadTag(sends_),
                        offsetof(Head, inlined) + (inlined ? bytes.size() : 0));
  if (!inlined) {
    // Gloo only reads what it sends.
    body_out_ = std::make_unique<GlooBuffer>(
        group_, purpose_, peer_, const_cast<std::byte*>(bytes.data()),
        bytes.size());
    body_out_->Send(BodyTag(sends_, bytes.size()), bytes.size());
  }
  ++sends_;
}

absl::Status GlooChannel::FinishSend() {
  BMOE_RETURN_IF_ERROR(head_out_buffer_.WaitSent());
  if (body_out_ == nullptr) return absl::OkStatus();
  BMOE_RETURN_IF_ERROR(body_out_->WaitSent());
  body_out_ = nullptr;
  return absl::OkStatus();
}

void GlooChannel::ExpectBody(absl::Span<std::byte> bytes) {
  // The head of this message is not read and counted yet.
  if (bytes.size() > kInlineBytes) StartBody(receives_, bytes);
}

absl::Status GlooChannel::Receive(GlooMessageKind kind,
                                  absl::Span<std::byte> bytes) {
  BMOE_RETURN_IF_ERROR(ReceiveHead(bytes));
  BMOE_RETURN_IF_ERROR(CheckHead(kind, bytes.size()));
  if (bytes.size() > kInlineBytes) BMOE_RETURN_IF_ERROR(FinishBody());
  return CheckContent(bytes);
}

absl::Status GlooChannel::ReceiveUnexpected(GlooMessageKind kind,
                                            absl::Span<std::byte> bytes) {
  BMOE_RETURN_IF_ERROR(ReceiveHead(bytes));
  const absl::Status fits = CheckHead(kind, bytes.size());
  if (!fits.ok()) {
    BMOE_RETURN_IF_ERROR(Drain());
    return fits;
  }
  if (bytes.size() > kInlineBytes) {
    StartBody(receives_ - 1, bytes);
    BMOE_RETURN_IF_ERROR(FinishBody());
  }
  return CheckContent(bytes);
}

absl::Status GlooChannel::ReceiveHead(absl::Span<std::byte> bytes) {
  BMOE_RETURN_IF_ERROR(head_in_buffer_.WaitReceived());
  head_.kind = head_in_.kind;
  head_.number = head_in_.number;
  head_.bytes = head_in_.bytes;
  head_.checksum = head_in_.checksum;
  if (head_.bytes == bytes.size() && bytes.size() <= kInlineBytes &&
      !bytes.empty()) {
    std::memcpy(bytes.data(), head_in_.inlined.data(), bytes.size());
  }
  ++receives_;
  PostHead();
  return absl::OkStatus();
}

void GlooChannel::StartBody(uint32_t number, absl::Span<std::byte> bytes) {
  body_in_ = std::make_unique<GlooBuffer>(group_, purpose_, peer_, bytes.data(),
                                          bytes.size());
  body_in_->Receive(BodyTag(number, bytes.size()), bytes.size());
}

absl::Status GlooChannel::FinishBody() {
  BMOE_RETURN_IF_ERROR(body_in_->WaitReceived());
  body_in_ = nullptr;
  return absl::OkStatus();
}

absl::Status GlooChannel::Drain() {
  if (head_.bytes <= kInlineBytes) return absl::OkStatus();
  std::vector<std::byte> unwanted(head_.bytes);
  StartBody(receives_ - 1, absl::MakeSpan(unwanted));
  return FinishBody();
}

absl::Status GlooChannel::CheckHead(GlooMessageKind kind, size_t bytes) const {
  if (head_.kind == kind && head_.bytes == bytes &&
      head_.number == receives_ - 1) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "worker ", peer_.value(), " sent ", NameOf(head_.kind), " ", head_.number,
      " of ", head_.bytes, " bytes, worker ", group_.options().rank.value(),
      " expected ", NameOf(kind), " ", receives_ - 1, " of ", bytes));
}

absl::Status GlooChannel::CheckContent(
    absl::Span<const std::byte> bytes) const {
  if (Checksum(bytes) == head_.checksum) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "worker ", peer_.value(), " sent ", NameOf(head_.kind), " ", head_.number,
      " of ", head_.bytes, " bytes, which arrived with another checksum"));
}

}  // namespace balancemoe::worker
