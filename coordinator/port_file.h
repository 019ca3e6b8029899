#ifndef BALANCEMOE_COORDINATOR_PORT_FILE_H_
#define BALANCEMOE_COORDINATOR_PORT_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace balancemoe::coordinator {

// Tells whoever started the coordinator where it listens:
//   {"grpc": "127.0.0.1:7070", "http": "127.0.0.1:9070"}
// The file appears complete or not at all.
//
// Errors: NotFound when it cannot be written; names it and says why.
absl::Status WritePortFile(const std::string& path, const std::string& grpc,
                           const std::string& http);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_PORT_FILE_H_
