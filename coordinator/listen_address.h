#ifndef BALANCEMOE_COORDINATOR_LISTEN_ADDRESS_H_
#define BALANCEMOE_COORDINATOR_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe::coordinator {

// Where to listen: "127.0.0.1:7070", "[::1]:7070", "localhost:0".
struct ListenAddress {
  std::string host;
  // 0: any that is free.
  int port = 0;

  // "host:port", with brackets around IPv6.
  std::string ToString() const;
  // Whether only this machine can reach it.
  bool is_loopback() const;
};

// Errors: InvalidArgument, saying what would be right.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

// Why nobody can listen at `address`, in the system's words; OK when somebody
// could right now. gRPC says only that it failed.
absl::Status ProbeListen(const ListenAddress& address);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_LISTEN_ADDRESS_H_
