#ifndef BALANCEMOE_COORDINATOR_PENDING_CALL_H_
#define BALANCEMOE_COORDINATOR_PENDING_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>

#include "absl/status/status.h"

namespace balancemoe::coordinator {

// A unary call that is answered later and whose caller may give up before.
// Every such call must be answered once, or the server never stops.
//
// Owns itself until gRPC is done with it; whoever answers holds it too.
// Thread-safe.
class PendingCall final : public grpc::ServerUnaryReactor {
 public:
  static std::shared_ptr<PendingCall> Start();

  // Called when the caller gives up, or its deadline passes; set before the
  // service method returns.
  void on_cancel(std::function<void()> callback) {
    on_cancel_ = std::move(callback);
  }
  bool cancelled() const { return cancelled_; }

  void Answer(const absl::Status& status);

  void OnCancel() override;
  void OnDone() override;

 private:
  PendingCall() = default;

  std::function<void()> on_cancel_;
  std::atomic<bool> cancelled_ = false;
  // Until OnDone.
  std::shared_ptr<PendingCall> self_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_PENDING_CALL_H_
