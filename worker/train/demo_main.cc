// balancemoe-demo: trains the same model on the same text once per policy and
// shows what balancing changes. What `./run demo` runs.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/train/child_process.h"
#include "worker/train/demo_report.h"
#include "worker/train/embedded_coordinator.h"

namespace balancemoe::worker {
namespace {

constexpr char kImbalance[] = "1.6";

struct DemoOptions {
  int32_t workers = 2;
  int64_t steps = 60;
  std::vector<std::string> text;
  std::string out = "out/demo";
  std::vector<std::string> policies = {"static", "pairwise", "adaptive"};
};

int32_t DefaultWorkers() {
  return std::clamp(static_cast<int32_t>(std::thread::hardware_concurrency()),
                    2, 4);
}

void AddFlags(CLI::App& app, DemoOptions& options) {
  app.add_option("--workers", options.workers,
                 "Worker processes (default: one per core, 2 to 4)")
      ->check(CLI::Range(1, 8));
  app.add_option("--steps", options.steps, "Training steps per policy")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->capture_default_str();
  app.add_option("--text", options.text,
                 "Files to learn from (default: the licence texts in "
                 "/usr/share/common-licenses)")
      ->check(CLI::ExistingFile);
  app.add_option("--out", options.out, "Folder for the reports")
      ->capture_default_str();
  app.add_option("--policies", options.policies,
                 "Policies to compare, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
}

std::string ReportPath(const DemoOptions& options, const std::string& policy) {
  return absl::StrCat(options.out, "/", policy, ".json");
}

// Trains with `policy` and shows the progress; the exit code of
// balancemoe-train.
int Train(const DemoOptions& options, const std::string& policy,
          const EmbeddedCoordinator& coordinator) {
  Command command;
  command.arguments = {
      SiblingProgram("balancemoe-train"),
      absl::StrCat("--workers=", options.workers),
      absl::StrCat("--steps=", options.steps),
      absl::StrCat("--imbalance=", kImbalance),
      absl::StrCat("--policy=", policy),
      absl::StrCat("--coordinator=", coordinator.grpc_address()),
      absl::StrCat("--job-id=demo-", policy),
      absl::StrCat("--report=", ReportPath(options, policy))};
  for (const std::string& file : options.text) {
    command.arguments.insert(command.arguments.end(), {"--text", file});
  }
  const auto child = ChildProcess::Start(command);
  if (!child.ok()) {
    std::cerr << child.status().message() << "\n";
    return 1;
  }
  return AwaitChild(**child);
}

void PrintBeginning(const DemoOptions& options) {
  std::cerr << "Training a small GPT with 8 experts per layer on "
            << options.workers << " workers, " << options.steps
            << " steps per policy: " << absl::StrJoin(options.policies, ", ")
            << ".\nThe routing is set by --imbalance " << kImbalance
            << " (worker 0 gets " << kImbalance
            << " times the mean load); balancemoe-train --skew shows the\n"
               "gate's own choice.\n\n";
}

void PrintEnd(const DemoOptions& options,
              const nlohmann::ordered_json& joined) {
  std::cout
      << "\n"
      << DemoTable(joined) << "\n"
      << "Reports: " << options.out << "/report.json and one per policy\n"
      << "Next:\n"
         "  build/bin/balancemoe-train --help      your own text, model "
         "and routing\n"
         "  build/bin/balancemoe-bench train       policies side by side "
         "in one job\n"
         "  docs/training.md                       what the figures mean\n"
         "The demo's coordinator has ended. To watch one, start\n"
         "  build/bin/balancemoe-coordinator\n"
         "  build/bin/balancemoe-train --coordinator 127.0.0.1:7070\n"
         "and open http://127.0.0.1:9070/metrics\n";
}

bool WriteReport(const DemoOptions& options,
                 const nlohmann::ordered_json& joined) {
  std::ofstream file(options.out + "/report.json");
  file << joined.dump(1) << "\n";
  file.close();
  return static_cast<bool>(file);
}

int RunDemo(const DemoOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) {
    std::cerr << "--out: " << options.out << ": " << error.message() << "\n";
    return 2;
  }
  BlockEndingSignals();
  const auto coordinator =
      EmbeddedCoordinator::Start(EmbeddedCoordinator::Options());
  if (!coordinator.ok()) {
    std::cerr << coordinator.status().message() << "\n";
    return 4;
  }
  PrintBeginning(options);
  std::vector<nlohmann::ordered_json> runs;
  for (const std::string& policy : options.policies) {
    const int code = Train(options, policy, **coordinator);
    if (code != 0) return code;
    std::ifstream file(ReportPath(options, policy));
    runs.push_back(nlohmann::ordered_json::parse(file));
  }
  const auto joined = JoinReports(runs);
  if (!WriteReport(options, joined)) {
    std::cerr << "--out: " << options.out << "/report.json cannot be written\n";
    return 1;
  }
  PrintEnd(options, joined);
  for (const auto& run : joined["runs"]) {
    const auto policy = run["policy"].get<std::string>();
    if (!LossesAsPromised(policy, joined)) {
      std::cerr << policy << ": losses differ from those of static\n";
      return 1;
    }
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Trains a small mixture-of-experts GPT once per policy with the same "
      "seed "
      "and shows what balancing changes.",
      "balancemoe-demo");
  DemoOptions options;
  options.workers = DefaultWorkers();
  AddFlags(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return RunDemo(options);
}

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) { return balancemoe::worker::Main(argc, argv); }
