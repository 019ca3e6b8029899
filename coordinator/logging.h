#ifndef BALANCEMOE_COORDINATOR_LOGGING_H_
#define BALANCEMOE_COORDINATOR_LOGGING_H_

#include <string>

namespace balancemoe::coordinator {

// Sends the process's log, gRPC's own lines included, to standard error;
// `format` is "text" or "json", one object per line. gRPC's lines are limited
// to a few per second: a port scan makes it write one per connection.
void StartLogging(const std::string& format);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_LOGGING_H_
