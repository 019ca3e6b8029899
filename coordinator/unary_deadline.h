#ifndef BALANCEMOE_COORDINATOR_UNARY_DEADLINE_H_
#define BALANCEMOE_COORDINATOR_UNARY_DEADLINE_H_

#include <grpcpp/grpcpp.h>

#include <chrono>

#include "absl/status/status.h"

namespace balancemoe::coordinator {

// A call without a deadline could wait for ever, and the server with it.
//
// Errors: InvalidArgument when there is none.
inline absl::Status RequireDeadline(
    const grpc::CallbackServerContext& context) {
  if (context.deadline() != std::chrono::system_clock::time_point::max()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("the call has no deadline; set one");
}

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_UNARY_DEADLINE_H_
