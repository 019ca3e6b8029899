#include <iostream>

#include "worker/bench/train_bench.h"

namespace balancemoe::worker {
namespace {

constexpr int kWrongUse = 2;

}  // namespace

// In builds without LibTorch or Gloo.
void AddTrainBench(CLI::App& app) {
  CLI::App* const train =
      app.add_subcommand("train", "Not in this build: needs LibTorch and Gloo");
  train->allow_extras();
  train->callback([] {
    std::cerr << "balancemoe-bench train: this build has no training; "
                 "configure it with -DBALANCEMOE_WITH_TORCH=ON "
                 "-DBALANCEMOE_WITH_GLOO=ON\n";
    throw CLI::RuntimeError(kWrongUse);
  });
}

}  // namespace balancemoe::worker
