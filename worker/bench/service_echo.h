#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_ECHO_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_ECHO_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"

namespace balancemoe::worker {

// What a coordinator is measured against: a gRPC server with nothing but the
// Session call, in the callback API with generated messages, that answers every
// message at once with a plan of `plan_bytes`. Writes its address to
// `address_file` when it is ready, and serves until the process ends.
//
// Errors: Unavailable when it cannot listen, or cannot write the file.
absl::Status ServeEcho(const std::string& address_file, size_t plan_bytes);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_ECHO_H_
