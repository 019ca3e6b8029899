#ifndef BALANCEMOE_COORDINATOR_CTL_TRACE_COMMAND_H_
#define BALANCEMOE_COORDINATOR_CTL_TRACE_COMMAND_H_

#include <CLI/CLI.hpp>

namespace balancemoe::coordinator {

// Adds `trace describe` and `trace convert`.
//
// Once parsed, runs them and throws CLI::RuntimeError with the exit code if
// that is not 0.
void AddTraceCommand(CLI::App& app);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_TRACE_COMMAND_H_
