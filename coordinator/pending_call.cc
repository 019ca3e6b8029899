#include "coordinator/pending_call.h"

#include <utility>

#include "common/wire/grpc_status.h"

namespace balancemoe::coordinator {

std::shared_ptr<PendingCall> PendingCall::Start() {
  std::shared_ptr<PendingCall> call(new PendingCall());
  call->self_ = call;
  return call;
}

void PendingCall::Answer(const absl::Status& status) {
  Finish(ToGrpcStatus(status));
}

void PendingCall::OnCancel() {
  cancelled_ = true;
  if (on_cancel_) on_cancel_();
}

void PendingCall::OnDone() {
  on_cancel_ = nullptr;
  // Last: this may be the end of the object.
  const std::shared_ptr<PendingCall> self = std::move(self_);
}

}  // namespace balancemoe::coordinator
