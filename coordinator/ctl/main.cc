// balancemoectl: what people ask of BalanceMoE from the command line.
//
// Each subcommand has a file of its own, *_command.h.
#include <CLI/CLI.hpp>
#include <iostream>

#include "coordinator/ctl/calibrate_command.h"
#include "coordinator/ctl/exit_code.h"
#include "coordinator/ctl/replay_command.h"
#include "coordinator/ctl/trace_command.h"

namespace balancemoe::coordinator {
namespace {

int Main(int argc, char** argv) {
  CLI::App app(
      "Compares balancing policies on recorded traces, looks at traces, and "
      "measures profiles of machines.",
      "balancemoectl");
  app.require_subcommand(1);
  AddReplayCommand(app);
  AddTraceCommand(app);
  AddCalibrateCommand(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::Error& e) {
    std::cerr << "balancemoectl: " << e.what() << "\n";
    return kWrongUse;
  }
  return kDone;
}

}  // namespace
}  // namespace balancemoe::coordinator

int main(int argc, char** argv) {
  return balancemoe::coordinator::Main(argc, argv);
}
