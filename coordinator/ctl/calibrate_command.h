#ifndef BALANCEMOE_COORDINATOR_CTL_CALIBRATE_COMMAND_H_
#define BALANCEMOE_COORDINATOR_CTL_CALIBRATE_COMMAND_H_

#include <CLI/CLI.hpp>

namespace balancemoe::coordinator {

// Adds `calibrate`, which hands over to the program balancemoe-calibrate beside
// this one: measuring needs LibTorch, which nothing else here does.
//
// Once parsed, becomes that program, or throws CLI::RuntimeError with the exit
// code.
void AddCalibrateCommand(CLI::App& app);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_CALIBRATE_COMMAND_H_
