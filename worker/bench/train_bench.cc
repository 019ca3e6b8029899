#include "worker/bench/train_bench.h"

#include <iostream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "worker/bench/train_bench_job.h"
#include "worker/train/child_process.h"
#include "worker/train/worker_program.h"

namespace balancemoe::worker {
namespace {

struct TrainBenchCommand {
  WorkerProgram program;
  TrainBenchOptions bench;
  std::string output;
};

void PrintTable(const nlohmann::ordered_json& report) {
  std::cout << absl::StrFormat("%-10s %9s %14s %9s %10s %11s %9s\n", "policy",
                               "step ms", "MoE layers ms", "forecast",
                               "imbalance", "over static", "balanced");
  const auto ratio = [&report](const char* key, const std::string& policy) {
    const auto& ratios = report[key];
    return ratios.contains(policy)
               ? absl::StrFormat("%.3f", ratios[policy].get<double>())
               : std::string("-");
  };
  for (const auto& run : report["runs"]) {
    const auto policy = run["policy"].get<std::string>();
    // Null when no plan came in time.
    const auto& forecast = run["predicted_over_measured"];
    std::cout << absl::StrFormat(
        "%-10s %9.1f %14.1f %9s %10.2f %11s %9s\n", policy,
        run["step_ms"]["p50"].get<double>(),
        run["moe_layer_ms"]["p50"].get<double>(),
        forecast.is_null()
            ? "-"
            : absl::StrFormat("%.2f", forecast["mean"].get<double>()),
        run["imbalance"]["mean"].get<double>(),
        ratio("speedup_over_static", policy),
        ratio("ratio_to_balanced", policy));
  }
}

int Run(const TrainBenchCommand& command) {
  const TrainBenchOptions& bench = command.bench;
  WorkerProgram program = command.program;
  program.arguments = ThisCommandLine();
  // The first block's switch comes later; this is what the job starts with.
  program.options.policy = kStatic;
  program.job = [&bench](const TrainOptions& options, const WorkerPlace& place,
                         const c10::Device& device, Agent& agent) {
    return RunTrainBench(bench, options, place, device, agent);
  };
  program.finish = [&command](const nlohmann::ordered_json& report) {
    if (command.output == "json") {
      std::cout << report.dump() << std::endl;
    } else {
      PrintTable(report);
    }
    return absl::OkStatus();
  };
  return RunWorkerProgram(program);
}

}  // namespace

void AddTrainBench(CLI::App& app) {
  auto command = std::make_shared<TrainBenchCommand>();
  TrainOptions& options = command->program.options;
  // The imbalance that the project's figures are taken at.
  options.imbalance = 1.6;
  options.job_id = "bench-train";
  // What a layer is measured by should not depend on what came before it.
  options.split_peer_wait = true;
  CLI::App* const train = app.add_subcommand(
      "train",
      "Policies side by side in one training job, in alternating blocks of "
      "steps, from the same state on the same batches");
  AddTrainFlags(*train, options);
  train
      ->add_option("--policies", command->bench.policies,
                   "Policies, separated by commas; balanced: static with a "
                   "perfectly balanced gate")
      ->delimiter(',')
      ->capture_default_str();
  const auto add = [train](const char* name, int64_t& value, int64_t least,
                           const char* text) {
    train->add_option(name, value, text)
        ->check(CLI::Range(least, int64_t{1'000'000}))
        ->capture_default_str();
  };
  add("--blocks", command->bench.blocks, 1, "Blocks per policy");
  add("--block-steps", command->bench.block_steps, 1, "Measured steps a block");
  add("--settle-steps", command->bench.settle_steps, 0,
      "Unmeasured steps after each switch of policy");
  train->add_option("-o,--output", command->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_str("text");
  train->callback([train, command] {
    // It takes the place of the default imbalance.
    if (train->count("--skew") > 0) {
      command->program.options.imbalance.reset();
    }
    throw CLI::RuntimeError(Run(*command));
  });
}

}  // namespace balancemoe::worker
