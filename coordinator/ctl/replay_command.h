#ifndef BALANCEMOE_COORDINATOR_CTL_REPLAY_COMMAND_H_
#define BALANCEMOE_COORDINATOR_CTL_REPLAY_COMMAND_H_

#include <CLI/CLI.hpp>

namespace balancemoe::coordinator {

// Adds `replay`: a recorded trace through one or more policies, compared under
// one timing rule.
//
// Once parsed, runs it and throws CLI::RuntimeError with the exit code if that
// is not 0.
void AddReplayCommand(CLI::App& app);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_REPLAY_COMMAND_H_
