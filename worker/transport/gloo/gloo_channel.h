#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_CHANNEL_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_CHANNEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/gloo/gloo_group.h"

namespace balancemoe::worker {

// What a message is part of; both ends must agree.
enum class GlooMessageKind : uint32_t {
  kAllGather = 1,
  kAllToAll,
  kReduceScatter,
  kBroadcast,
  kBarrier,
  kTransfer,
};

// Messages to and from one peer, in order, each with its length and checksum.
//
//   head: kind, number, length, checksum, and the bytes if there are few
//   body: the bytes if there are many, under a tag that holds their number
//
// A receive for the next head is always pending: small messages need no round
// trip. Sending and receiving are for one thread each.
class GlooChannel {
 public:
  // Bytes that fit into the head.
  static constexpr size_t kInlineBytes = 4064;

  // `group` must outlive the channel.
  GlooChannel(GlooGroup& group, GlooPurpose purpose, WorkerRank peer);

  // Lets heads come. To be called once, before the others.
  void Open();

  // Starts to send. `bytes` stay in place until FinishSend, which comes before
  // the next StartSend.
  void StartSend(GlooMessageKind kind, absl::Span<const std::byte> bytes);
  absl::Status FinishSend();

  // Says where the next message goes, so that its body comes without waiting
  // for this side to read the head.
  void ExpectBody(absl::Span<std::byte> bytes);
  // Receives the next message, after ExpectBody with the same `bytes`. After an
  // error the group must be aborted.
  //
  // Errors: DataLoss when kind, length or content differ from what was sent;
  // Unavailable.
  absl::Status Receive(GlooMessageKind kind, absl::Span<std::byte> bytes);

  // Receives the next message, without ExpectBody. After a DataLoss the channel
  // is ready for the next one.
  absl::Status ReceiveUnexpected(GlooMessageKind kind,
                                 absl::Span<std::byte> bytes);

 private:
  struct Head {
    GlooMessageKind kind = {};
    uint32_t number = 0;
    uint64_t bytes = 0;
    uint64_t checksum = 0;
    std::array<std::byte, kInlineBytes> inlined;
  };

  void PostHead();
  // Receives the next head and, if it has them, the bytes.
  absl::Status ReceiveHead(absl::Span<std::byte> bytes);
  void StartBody(uint32_t number, absl::Span<std::byte> bytes);
  absl::Status FinishBody();
  absl::Status Drain();
  absl::Status CheckHead(GlooMessageKind kind, size_t bytes) const;
  absl::Status CheckContent(absl::Span<const std::byte> bytes) const;

  GlooGroup& group_;
  const GlooPurpose purpose_;
  const WorkerRank peer_;

  // Of the sending thread.
  uint32_t sends_ = 0;
  Head head_out_;
  GlooBuffer head_out_buffer_;
  std::unique_ptr<GlooBuffer> body_out_;

  // Of the receiving thread. `head_in_` belongs to Gloo while a receive is
  // pending; `head_` is the copy of the last one.
  uint32_t receives_ = 0;
  Head head_in_;
  GlooBuffer head_in_buffer_;
  Head head_;
  std::unique_ptr<GlooBuffer> body_in_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_CHANNEL_H_
