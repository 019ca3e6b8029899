#include "worker/transport/testing/remote_frame.h"

#include <errno.h>
#include <sys/socket.h>

namespace balancemoe::worker {
namespace {

struct Head {
  RemoteOperation operation;
  int32_t code;
  uint64_t call;
  uint64_t numbers;
  uint64_t bytes;
  uint64_t text_bytes;
};

bool SendAll(int descriptor, const void* from, size_t bytes) {
  const auto* next = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t sent = send(descriptor, next, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    next += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReceiveAll(int descriptor, void* to, size_t bytes) {
  auto* next = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t received = recv(descriptor, next, bytes, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    next += received;
    bytes -= static_cast<size_t>(received);
  }
  return true;
}

}  // namespace

const char* RemoteOperationName(RemoteOperation operation) {
  static constexpr const char* kNames[] = {
      "Form",      "Rebuild",      "Destroy",   "Abort",   "AllGather",
      "AllToAllV", "AllReduceSum", "Broadcast", "Barrier", "StartTransfers",
      "Done",      "Elapsed",      "Wait",      "Release"};
  return kNames[static_cast<size_t>(operation)];
}

bool SendFrame(int descriptor, const RemoteFrame& frame) {
  const std::string text(frame.status.message());
  const Head head = {
      frame.operation,    static_cast<int32_t>(frame.status.code()),
      frame.call,         frame.numbers.size(),
      frame.bytes.size(), text.size()};
  return SendAll(descriptor, &head, sizeof(head)) &&
         SendAll(descriptor, frame.numbers.data(),
                 frame.numbers.size() * sizeof(int64_t)) &&
         SendAll(descriptor, frame.bytes.data(), frame.bytes.size()) &&
         SendAll(descriptor, text.data(), text.size());
}

bool ReceiveFrame(int descriptor, RemoteFrame& frame) {
  Head head;
  if (!ReceiveAll(descriptor, &head, sizeof(head))) return false;
  frame.operation = head.operation;
  frame.call = head.call;
  frame.numbers.resize(head.numbers);
  frame.bytes.resize(head.bytes);
  std::string text(head.text_bytes, ' ');
  if (!ReceiveAll(descriptor, frame.numbers.data(),
                  frame.numbers.size() * sizeof(int64_t)) ||
      !ReceiveAll(descriptor, frame.bytes.data(), frame.bytes.size()) ||
      !ReceiveAll(descriptor, text.data(), text.size())) {
    return false;
  }
  frame.status = absl::Status(static_cast<absl::StatusCode>(head.code), text);
  return true;
}

}  // namespace balancemoe::worker
