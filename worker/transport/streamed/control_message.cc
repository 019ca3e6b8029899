#include "worker/transport/streamed/control_message.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

struct Head {
  uint32_t kind = 0;
  uint32_t numbers = 0;
  uint32_t text_bytes = 0;
};

// An all-to-all among 100,000 workers has 200,000 sizes.
constexpr uint32_t kMostNumbers = 1 << 20;
constexpr uint32_t kMostText = 1 << 16;

constexpr size_t kNumbersPerTransfer = 3;

absl::Status Malformed(const ControlMessage& message) {
  return absl::InvalidArgumentError(
      absl::StrCat("control message ", static_cast<uint32_t>(message.kind),
                   " with ", message.numbers.size(), " numbers"));
}

}  // namespace

absl::string_view NameOf(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::kAllGather:
      return "all-gather";
    case CollectiveKind::kAllToAll:
      return "all-to-all";
    case CollectiveKind::kAllReduce:
      return "all-reduce";
    case CollectiveKind::kBroadcast:
      return "broadcast";
    case CollectiveKind::kBarrier:
      return "barrier";
  }
  return "unknown collective";
}

ControlMessage ToMessage(const CollectiveCall& call) {
  ControlMessage message = {.kind = ControlKind::kCollective};
  message.numbers = {static_cast<uint64_t>(call.kind), call.bytes, call.root};
  message.numbers.insert(message.numbers.end(), call.send_bytes.begin(),
                         call.send_bytes.end());
  message.numbers.insert(message.numbers.end(), call.receive_bytes.begin(),
                         call.receive_bytes.end());
  return message;
}

ControlMessage ToMessage(absl::Span<const TransferCall> calls) {
  ControlMessage message = {.kind = ControlKind::kTransfers};
  for (const TransferCall& call : calls) {
    message.numbers.insert(message.numbers.end(),
                           {call.sends ? 1u : 0u, call.peer, call.bytes});
  }
  return message;
}

absl::StatusOr<CollectiveCall> ToCollective(const ControlMessage& message) {
  const auto& numbers = message.numbers;
  if (message.kind != ControlKind::kCollective || numbers.size() < 3 ||
      numbers.size() % 2 == 0) {
    return Malformed(message);
  }
  CollectiveCall call;
  call.kind = static_cast<CollectiveKind>(numbers[0]);
  call.bytes = numbers[1];
  call.root = numbers[2];
  const auto sends = numbers.begin() + 3;
  const auto receives = sends + (numbers.end() - sends) / 2;
  call.send_bytes.assign(sends, receives);
  call.receive_bytes.assign(receives, numbers.end());
  return call;
}

absl::StatusOr<std::vector<TransferCall>> ToTransfers(
    const ControlMessage& message) {
  const auto& numbers = message.numbers;
  if (message.kind != ControlKind::kTransfers ||
      numbers.size() % kNumbersPerTransfer != 0) {
    return Malformed(message);
  }
  std::vector<TransferCall> calls;
  for (size_t i = 0; i < numbers.size(); i += kNumbersPerTransfer) {
    calls.push_back({numbers[i] != 0, numbers[i + 1], numbers[i + 2]});
  }
  return calls;
}

std::string Encode(const ControlMessage& message) {
  const Head head = {static_cast<uint32_t>(message.kind),
                     static_cast<uint32_t>(message.numbers.size()),
                     static_cast<uint32_t>(message.text.size())};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes.append(reinterpret_cast<const char*>(message.numbers.data()),
               message.numbers.size() * sizeof(uint64_t));
  return bytes + message.text;
}

void ControlMessageReader::Add(absl::string_view bytes) {
  unread_.append(bytes.data(), bytes.size());
}

absl::StatusOr<std::optional<ControlMessage>> ControlMessageReader::Next() {
  Head head;
  if (unread_.size() < sizeof(head)) return std::nullopt;
  std::memcpy(&head, unread_.data(), sizeof(head));
  if (head.numbers > kMostNumbers || head.text_bytes > kMostText) {
    return absl::InvalidArgumentError(
        absl::StrCat("control message ", head.kind, " of ", head.numbers,
                     " numbers and ", head.text_bytes, " characters"));
  }
  const size_t number_bytes = head.numbers * sizeof(uint64_t);
  const size_t bytes = sizeof(head) + number_bytes + head.text_bytes;
  if (unread_.size() < bytes) return std::nullopt;
  ControlMessage message = {.kind = static_cast<ControlKind>(head.kind)};
  message.numbers.resize(head.numbers);
  if (number_bytes > 0) {
    std::memcpy(message.numbers.data(), unread_.data() + sizeof(head),
                number_bytes);
  }
  message.text = unread_.substr(sizeof(head) + number_bytes, head.text_bytes);
  unread_.erase(0, bytes);
  return message;
}

}  // namespace balancemoe::worker
