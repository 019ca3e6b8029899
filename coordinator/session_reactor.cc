#include "coordinator/session_reactor.h"

#include <grpcpp/impl/codegen/proto_buffer_reader.h>

#include <optional>
#include <string>
#include <utility>

#include "common/wire/grpc_status.h"
#include "coordinator/fanout.h"

namespace balancemoe::coordinator {
namespace {

// A slice that keeps `payload` alive instead of copying it.
grpc::ByteBuffer Share(Payload payload) {
  auto* const owner = new Payload(std::move(payload));
  const std::string& bytes = **owner;
  const grpc::Slice slice(
      const_cast<char*>(bytes.data()), bytes.size(),
      [](void* held) { delete static_cast<Payload*>(held); }, owner);
  return grpc::ByteBuffer(&slice, 1);
}

bool Parse(grpc::ByteBuffer* bytes, v1::SessionRequest* message) {
  grpc::ProtoBufferReader reader(bytes);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

}  // namespace

SessionReactor* SessionReactor::Start(grpc::CallbackServerContext* context,
                                      JobDirectory& jobs,
                                      CoordinatorMetrics& metrics,
                                      const Clock& clock) {
  const std::shared_ptr<SessionReactor> reactor(
      new SessionReactor(context, jobs, metrics, clock));
  reactor->self_ = reactor;
  reactor->StartRead(&reactor->inbound_bytes_);
  return reactor.get();
}

SessionReactor::SessionReactor(grpc::CallbackServerContext* context,
                               JobDirectory& jobs, CoordinatorMetrics& metrics,
                               const Clock& clock)
    : context_(context), jobs_(jobs), metrics_(metrics), clock_(clock) {}

void SessionReactor::ReadNext() {
  {
    MutexLock lock(&mutex_);
    if (closing_) return;
  }
  StartRead(&inbound_bytes_);
}

void SessionReactor::ReadAfterWrite() {
  MutexLock lock(&mutex_);
  read_after_write_ = true;
}

void SessionReactor::OnReadDone(bool ok) {
  if (!ok) {
    if (job_ != nullptr) job_->EndSession(shared_from_this(), "stream_ended");
    Close(absl::OkStatus());
    return;
  }
  if (!Parse(&inbound_bytes_, &inbound_)) {
    metrics_.malformed_messages.Increment();
    if (job_ != nullptr) job_->EndSession(shared_from_this(), "malformed");
    Close(absl::InvalidArgumentError("the bytes are no SessionRequest"));
    return;
  }
  Deliver();
}

void SessionReactor::Deliver() {
  if (job_ == nullptr) {
    const std::string& job_id = inbound_.fencing().job_id();
    job_ = jobs_.Find(job_id);
    if (job_ == nullptr) {
      Close(absl::AbortedError("no such job here: register again"));
      return;
    }
  }
  job_->Handle(shared_from_this(), inbound_);
}

void SessionReactor::Send(Outbound message, std::shared_ptr<Fanout> fanout) {
  {
    MutexLock lock(&mutex_);
    if (closing_) return;
    if (writing_) {
      queue_.Push(std::move(message));
      metrics_.send_queue_depth.Observe(static_cast<double>(queue_.size()));
      return;
    }
    writing_ = true;
    fanout_ = std::move(fanout);
    write_began_ = clock_.Now();
  }
  Write(std::move(message.payload));
}

void SessionReactor::Write(Payload payload) {
  // Not under the lock: gRPC may run OnWriteDone before StartWrite returns.
  outbound_bytes_ = Share(std::move(payload));
  StartWrite(&outbound_bytes_);
}

void SessionReactor::OnWriteDone(bool ok) {
  bool read = false;
  {
    MutexLock lock(&mutex_);
    read = std::exchange(read_after_write_, false);
  }
  // Before the write counts as over: until then nobody finishes the call. After
  // a failed write the read fails too, which ends the session.
  if (read) StartRead(&inbound_bytes_);
  std::optional<Payload> next;
  std::optional<absl::Status> finish;
  std::shared_ptr<Fanout> fanout;
  {
    MutexLock lock(&mutex_);
    if (!ok) queue_.Clear();
    fanout = std::move(fanout_);
    next = queue_.Pop();
    if (next.has_value()) {
      write_began_ = clock_.Now();
    } else {
      writing_ = false;
      if (closing_) finish = close_status_;
    }
  }
  if (next.has_value()) Write(*std::move(next));
  if (finish.has_value()) Finish(ToGrpcStatus(*finish));
  if (fanout != nullptr) fanout->Continue();
}

void SessionReactor::Close(absl::Status status) {
  {
    MutexLock lock(&mutex_);
    if (closing_) return;
    closing_ = true;
    close_status_ = status;
    // OnWriteDone finishes then.
    if (writing_) return;
  }
  Finish(ToGrpcStatus(status));
}

void SessionReactor::Cancel() {
  MutexLock lock(&mutex_);
  if (!done_) context_->TryCancel();
}

absl::Time SessionReactor::stalled_since() const {
  MutexLock lock(&mutex_);
  return writing_ ? write_began_ : absl::InfiniteFuture();
}

void SessionReactor::OnDone() {
  {
    MutexLock lock(&mutex_);
    done_ = true;
  }
  job_.reset();
  // Last: this may be the end of the object.
  const std::shared_ptr<SessionReactor> self = std::move(self_);
}

}  // namespace balancemoe::coordinator
