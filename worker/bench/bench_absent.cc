// In builds without LibTorch or Gloo.
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/bench/gpu_bench.h"
#include "worker/bench/train_bench.h"

namespace balancemoe::worker {
namespace {

constexpr int kWrongUse = 2;

void AddAbsent(CLI::App& app, const std::string& name) {
  CLI::App* const bench =
      app.add_subcommand(name, "Not in this build: needs LibTorch and Gloo");
  bench->allow_extras();
  bench->callback([name] {
    std::cerr << absl::StrCat("balancemoe-bench ", name,
                              ": this build has no training; configure it with "
                              "-DBALANCEMOE_WITH_TORCH=ON "
                              "-DBALANCEMOE_WITH_GLOO=ON\n");
    throw CLI::RuntimeError(kWrongUse);
  });
}

}  // namespace

void AddTrainBench(CLI::App& app) { AddAbsent(app, "train"); }

void AddGpuBench(CLI::App& app) { AddAbsent(app, "gpu"); }

}  // namespace balancemoe::worker
