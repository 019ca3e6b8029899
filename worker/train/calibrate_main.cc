// balancemoe-calibrate: measures a profile of the machine at hand; what
// `balancemoectl calibrate` runs.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/io/profile_file.h"
#include "worker/train/calibrate_job.h"
#include "worker/train/measured_profile.h"
#include "worker/train/worker_program.h"

namespace balancemoe::worker {
namespace {

struct CalibrateOptions {
  std::string name = "measured";
  // Empty: standard output.
  std::string out;
};

void AddFlags(CLI::App& app, TrainOptions& options, CalibrateOptions& own) {
  app.add_option("--hidden", options.hidden, "Model width")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  app.add_option("--ffn", options.ffn, "Hidden width of an expert")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  app.add_flag("--swiglu", options.swiglu, "SwiGLU experts instead of GELU");
  app.add_option("--workers", options.workers,
                 "Local workers that compute and transfer at the same time "
                 "[default: 2]")
      ->check(CLI::Range(1, 1024));
  AddDeviceFlags(app, options);
  app.add_option("--name", own.name, "Name of the profile")
      ->capture_default_str();
  app.add_option("--out", own.out,
                 "Write the profile to this YAML file [default: standard "
                 "output]");
}

std::string OriginOf(const TrainOptions& options) {
  return absl::StrCat(
      "Measured by balancemoe-calibrate --device ", options.device,
      " --transport ", options.transport, " --dtype ", options.dtype,
      ":\ntimed experts and transfers between neighbouring workers, all "
      "workers at the same\ntime, compute as slow as on the slowest.\n"
      "Both link classes are what neighbours on this machine measured.\n"
      "watts: not measured.");
}

absl::Status WriteOut(const CostModel& cost, const TrainOptions& options,
                      const CalibrateOptions& own) {
  const Profile profile =
      ProfileFrom(cost, {.name = own.name,
                         .hidden = options.hidden,
                         .ffn = options.ffn,
                         .gated = options.swiglu,
                         .workers_per_node = options.workers.value_or(2)});
  const absl::Status valid = ValidateProfile(profile);
  if (!valid.ok()) return valid;
  if (own.out.empty()) {
    std::cout << FormatProfile(profile, OriginOf(options));
    return absl::OkStatus();
  }
  const absl::Status written =
      WriteProfile(profile, OriginOf(options), own.out);
  if (!written.ok()) return written;
  std::cerr << absl::StrFormat(
      "%s: %.4g TFLOPS in expert GEMMs, %.3g GB/s between workers; use it with "
      "--profile %s\n",
      own.name, profile.tflops, profile.intra_node.gb_per_s, own.out);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Measures what computing and moving experts costs on this machine, and "
      "writes it as a profile for balancemoectl replay.");
  WorkerProgram program;
  CalibrateOptions own;
  program.options.job_id = "calibrate";
  program.options.layers = 1;
  program.options.heads = 1;
  // So that the coordinator's part is measured, and no expert travels.
  program.options.policy = "static";
  AddFlags(app, program.options, own);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  program.options.experts = 4 * program.options.workers.value_or(2);
  program.options.top_k = 1;
  program.arguments.assign(argv, argv + argc);
  CostModel measured;
  program.job = [&measured](
                    const TrainOptions& options, const WorkerPlace& place,
                    const c10::Device& device,
                    Agent& agent) -> absl::StatusOr<nlohmann::ordered_json> {
    absl::StatusOr<CostModel> cost = RunCalibrateJob(options, device, agent);
    if (!cost.ok()) return cost.status();
    // Over loopback all workers are threads of this process.
    if (place.rank == WorkerRank(0)) measured = *cost;
    return nlohmann::ordered_json();
  };
  program.finish = [&](const nlohmann::ordered_json&) {
    return WriteOut(measured, program.options, own);
  };
  return RunWorkerProgram(program);
}

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) { return balancemoe::worker::Main(argc, argv); }
