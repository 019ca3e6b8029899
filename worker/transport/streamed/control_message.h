#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_MESSAGE_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace balancemoe::worker {

// What workers and the conductor tell each other, on a connection beside the
// device's own.
enum class ControlKind : uint32_t {
  // From a worker.
  kHello = 1,   // {rank}, the first message on a connection
  kConnected,   // its communicators are ready
  kCollective,  // a CollectiveCall that it wants to issue
  kTransfers,   // TransferCalls that it wants to issue
  kLeave,       // needs the group no more
  // From the conductor.
  kGroupId,       // text: what the device needs to connect
  kReady,         // all are connected
  kCollectiveGo,  // all have made the same call: issue it now
  kRound,         // {ticket, bytes at the other end}, ...: issue these together
  kGoodbye,       // the answer to kLeave, after all that came before
  // Never sent.
  kSilence,
  // From both.
  kAbort,  // {1 when calls differed, else 0}; text: the reason
};

struct ControlMessage {
  ControlKind kind = ControlKind::kHello;
  std::vector<uint64_t> numbers = {};
  std::string text = {};

  friend bool operator==(const ControlMessage&,
                         const ControlMessage&) = default;
};

enum class CollectiveKind : uint32_t {
  kAllGather = 1,
  kAllToAll,
  kAllReduce,
  kBroadcast,
  kBarrier,
};

// A collective as one rank calls it.
struct CollectiveCall {
  CollectiveKind kind = CollectiveKind::kBarrier;
  // Of `mine`, of the vector, or of what is broadcast.
  uint64_t bytes = 0;
  // Of a broadcast.
  uint64_t root = 0;
  // Of an all-to-all, by rank.
  std::vector<uint64_t> send_bytes = {};
  std::vector<uint64_t> receive_bytes = {};
};

// A transfer as one end calls it. A worker's transfers have tickets 0, 1, ...
// in the order in which it tells them.
struct TransferCall {
  bool sends = false;
  uint64_t peer = 0;
  uint64_t bytes = 0;
};

absl::string_view NameOf(CollectiveKind kind);

ControlMessage ToMessage(const CollectiveCall& call);
ControlMessage ToMessage(absl::Span<const TransferCall> calls);
// Errors: InvalidArgument, when the message was not made by ToMessage.
absl::StatusOr<CollectiveCall> ToCollective(const ControlMessage& message);
absl::StatusOr<std::vector<TransferCall>> ToTransfers(
    const ControlMessage& message);

// A message as it travels: kind, count of numbers, length of the text (each 32
// bits), numbers (64 bits), text; in the byte order of the machine, which all
// workers of a job share.
std::string Encode(const ControlMessage& message);

// Cuts a stream of bytes into messages.
class ControlMessageReader {
 public:
  void Add(absl::string_view bytes);

  // The next whole message; nothing when more bytes are needed.
  //
  // Errors: InvalidArgument, absurd lengths: the other side is no worker.
  absl::StatusOr<std::optional<ControlMessage>> Next();

 private:
  std::string unread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_MESSAGE_H_
