#include <CLI/CLI.hpp>
#include <iostream>

#include "worker/bench/gpu_bench.h"
#include "worker/bench/plan_bench.h"
#include "worker/bench/service_bench.h"
#include "worker/bench/train_bench.h"

namespace {

constexpr int kWrongUse = 2;

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Every figure that the documentation states, side by side with what it "
      "is "
      "compared to.",
      "balancemoe-bench");
  app.require_subcommand(1);
  balancemoe::worker::AddPlanBench(app);
  balancemoe::worker::AddServiceBench(app);
  balancemoe::worker::AddTrainBench(app);
  balancemoe::worker::AddGpuBench(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::Error& e) {
    std::cerr << "balancemoe-bench: " << e.what() << "\n";
    return kWrongUse;
  }
  return 0;
}
