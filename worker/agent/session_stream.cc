#include "worker/agent/session_stream.h"

#include <utility>

#include "common/wire/grpc_status.h"

namespace balancemoe::worker {
namespace {

// More than a worker says within any plan deadline.
constexpr size_t kQueuedMessages = 256;

}  // namespace

SessionStream::SessionStream(Callbacks callbacks)
    : callbacks_(std::move(callbacks)), queue_(kQueuedMessages) {}

std::shared_ptr<SessionStream> SessionStream::Open(
    v1::CoordinatorService::Stub& stub, Callbacks callbacks) {
  std::shared_ptr<SessionStream> stream(
      new SessionStream(std::move(callbacks)));
  stub.async()->Session(&stream->context_, stream.get());
  // Writes start from outside of reactions, which gRPC allows only while
  // somebody holds the call.
  stream->AddHold();
  stream->StartRead(&stream->incoming_);
  stream->StartCall();
  return stream;
}

void SessionStream::Send(Queue::Kind kind, v1::SessionRequest message) {
  {
    MutexLock lock(&mutex_);
    if (closed_ || finish_wanted_) return;
    queue_.Push(kind, std::move(message));
  }
  Advance();
}

void SessionStream::Finish() {
  {
    MutexLock lock(&mutex_);
    finish_wanted_ = true;
  }
  Advance();
}

SessionStream::Operation SessionStream::Choose() {
  MutexLock lock(&mutex_);
  if (starting_ || released_) return Operation::kNone;
  if (closed_) {
    released_ = true;
    return Operation::kRelease;
  }
  if (writing_) return Operation::kNone;
  if (auto message = queue_.Pop(); message.has_value()) {
    outgoing_ = *std::move(message);
    writing_ = true;
    starting_ = true;
    return Operation::kWrite;
  }
  if (finish_wanted_ && !half_closed_) {
    half_closed_ = true;
    starting_ = true;
    return Operation::kHalfClose;
  }
  return Operation::kNone;
}

void SessionStream::Advance() {
  // Again after each start: meanwhile the operation may have ended, or the
  // call.
  while (true) {
    const Operation operation = Choose();
    // Without the lock: gRPC may run reactions of this call on this thread.
    switch (operation) {
      case Operation::kNone:
        return;
      case Operation::kRelease:
        RemoveHold();
        return;
      case Operation::kWrite:
        StartWrite(&outgoing_);
        break;
      case Operation::kHalfClose:
        StartWritesDone();
        break;
    }
    MutexLock lock(&mutex_);
    starting_ = false;
  }
}

void SessionStream::Close() {
  {
    MutexLock lock(&mutex_);
    closed_ = true;
  }
  Advance();
}

void SessionStream::OnReadDone(bool ok) {
  if (!ok) {
    Close();
    return;
  }
  callbacks_.message(incoming_);
  StartRead(&incoming_);
}

void SessionStream::OnWriteDone(bool ok) {
  {
    MutexLock lock(&mutex_);
    writing_ = false;
  }
  // The read fails as well and tells why.
  if (ok) Advance();
}

void SessionStream::OnDone(const grpc::Status& status) {
  callbacks_.end(FromGrpcStatus(status));
  MutexLock lock(&mutex_);
  ended_ = true;
  // With the lock held: the owner may destroy the stream as soon as it sees it.
  ended_changed_.NotifyAll();
}

bool SessionStream::AwaitEnd(absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  MutexLock lock(&mutex_);
  while (!ended_) {
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) return false;
    ended_changed_.WaitFor(&mutex_, left);
  }
  return true;
}

}  // namespace balancemoe::worker
