#ifndef BALANCEMOE_COMMON_WIRE_GRPC_STATUS_H_
#define BALANCEMOE_COMMON_WIRE_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace balancemoe {

// The codes are the same numbers on both sides. Messages over 2 KiB are cut, so
// that they fit into the trailing metadata of a call.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_WIRE_GRPC_STATUS_H_
