// balancemoe-train: trains a small MoE GPT on text, attached to a coordinator.
//
// train_options.h has the flags, worker_program.h the processes, train_job.h
// what each worker does, trainer.h the step.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/planning/policy.h"
#include "worker/train/train_job.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_program.h"

namespace balancemoe::worker {
namespace {

// Of this run and of those that its checkpoint comes from.
int64_t StepsBehind(const nlohmann::ordered_json& report) {
  const auto& before = report["resumed_from_step"];
  return report["steps"].get<int64_t>() +
         (before.is_null() ? 0 : before.get<int64_t>());
}

void PrintSummary(const nlohmann::ordered_json& report) {
  std::cerr << absl::StrFormat(
      "%s@%s: loss %.4f after %d steps; step %.1f ms, MoE layers %.1f ms, "
      "imbalance %.2f, %d lends, exposed transfer %.2f ms\n",
      report["policy"].get<std::string>(), report["mode"].get<std::string>(),
      report["loss"].back().get<double>(), StepsBehind(report),
      report["step_ms"]["mean"].get<double>(),
      report["moe_layer_ms"]["mean"].get<double>(),
      report["imbalance"]["mean"].get<double>(), report["lends"].get<int64_t>(),
      report["exposed_transfer_ms"]["mean"].get<double>());
}

absl::Status WriteReport(const nlohmann::ordered_json& report,
                         const std::string& path) {
  PrintSummary(report);
  if (path.empty()) return absl::OkStatus();
  std::ofstream file(path);
  file << report.dump(1) << "\n";
  file.close();
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat("--report: ", path, " cannot be written"));
  }
  std::cerr << "report: " << path << "\n";
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Trains a small GPT with mixture-of-experts layers on text, its experts "
      "spread over workers and balanced by a balancemoe-coordinator.");
  WorkerProgram program;
  AddTrainFlags(app, program.options);
  app.add_option("--steps", program.options.steps, "Training steps")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->capture_default_str();
  app.add_option("--policy", program.options.policy,
                 absl::StrCat("Balancing policy, NAME or NAME@MODE: ",
                              absl::StrJoin(PolicyNames(), ", ")))
      ->capture_default_str();
  AddCheckpointFlags(app, program.options);
  app.add_option("--report", program.options.report,
                 "Write the train report (JSON) to this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  program.arguments.assign(argv, argv + argc);
  program.job = [](const TrainOptions& options, const WorkerPlace& place,
                   const c10::Device& device, Agent& agent) {
    return RunTrainJob(options, place, device, agent, std::cerr);
  };
  program.finish = [&program](const nlohmann::ordered_json& report) {
    return WriteReport(report, program.options.report);
  };
  return RunWorkerProgram(program);
}

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) { return balancemoe::worker::Main(argc, argv); }
