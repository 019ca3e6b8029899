#include "worker/bench/service_bench.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"
#include "worker/bench/echo_server.h"
#include "worker/bench/simulated_workers.h"
#include "worker/train/child_process.h"
#include "worker/train/embedded_coordinator.h"
#include "worker/train/statistics.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kWarmUpRounds = 50;
// Rounds against one server before the other's turn.
constexpr int64_t kRoundsPerTurn = 20;
constexpr absl::Duration kStartTimeout = absl::Seconds(10);

struct ServiceBenchOptions {
  int32_t workers = 64;
  // 0: one per worker, as real workers have.
  int32_t connections = 0;
  int32_t experts = 64;
  double seconds = 5;
  std::string policy = "static";
  std::string output = "text";
  // Set in the process that this program starts to be the echo.
  std::string echo_address_file;
  size_t echo_plan_bytes = 0;
};

struct ServiceTimes {
  // Microseconds per round.
  std::vector<double> coordinator_us;
  std::vector<double> echo_us;
};

// The echo, as a child process.
class EchoProcess {
 public:
  static absl::StatusOr<std::unique_ptr<EchoProcess>> Start(size_t plan_bytes) {
    auto echo = std::make_unique<EchoProcess>();
    std::string pattern =
        std::filesystem::temp_directory_path() / "balancemoe-echo-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      return absl::UnavailableError(absl::StrCat(pattern, ": cannot be made"));
    }
    echo->directory_ = pattern;
    const std::string file = pattern + "/address";
    Command command;
    command.arguments = {ThisProgram(),         "service",
                         "--echo-address-file", file,
                         "--echo-plan-bytes",   absl::StrCat(plan_bytes)};
    BMOE_ASSIGN_OR_RETURN(echo->process_, ChildProcess::Start(command));
    BMOE_RETURN_IF_ERROR(echo->AwaitAddress(file));
    return echo;
  }
  EchoProcess() = default;
  ~EchoProcess() {
    if (process_ != nullptr) process_->Stop(absl::Seconds(1));
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
  }

  const std::string& address() const { return address_; }

 private:
  absl::Status AwaitAddress(const std::string& file) {
    const SteadyClock clock;
    const absl::Time deadline = clock.Now() + kStartTimeout;
    while (clock.Now() < deadline && !process_->Poll().has_value()) {
      if (std::ifstream(file) >> address_) return absl::OkStatus();
      absl::SleepFor(absl::Milliseconds(5));
    }
    return absl::UnavailableError("the echo server did not start");
  }

  std::string directory_;
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
};

// Every worker got one and the same plan for `iteration`, by the policy that
// was asked for. Returns its size in bytes.
absl::StatusOr<size_t> VerifyPlans(const SimulatedWorkers& workers,
                                   int64_t iteration,
                                   const std::string& policy) {
  const std::vector<const v1::SessionResponse*> answers = workers.answers();
  const std::string& bytes = answers.front()->plan().plan();
  BMOE_ASSIGN_OR_RETURN(const Plan plan, DecodePlan(bytes));
  if (plan.iteration != Iteration(iteration) || plan.policy != policy ||
      plan.decision.predicted_before_us <= 0) {
    return absl::InternalError(
        absl::StrCat("expected a plan by ", policy, " for iteration ",
                     iteration, ", got '", plan.policy, "' for ",
                     plan.iteration.value(), ": ", plan.decision.reason));
  }
  for (const v1::SessionResponse* const answer : answers) {
    if (answer->plan().plan() != bytes) {
      return absl::InternalError("workers got different plans");
    }
  }
  return bytes.size();
}

absl::Status TimeTurn(SimulatedWorkers& workers, int64_t& iteration,
                      std::vector<double>* times_us) {
  for (int64_t i = 0; i < kRoundsPerTurn; ++i) {
    BMOE_ASSIGN_OR_RETURN(const absl::Duration time,
                          workers.Round(iteration++));
    times_us->push_back(absl::ToDoubleMicroseconds(time));
  }
  return absl::OkStatus();
}

absl::StatusOr<ServiceTimes> Measure(const ServiceBenchOptions& options) {
  BMOE_ASSIGN_OR_RETURN(
      const auto coordinator,
      EmbeddedCoordinator::Start({.report_deadline = absl::Seconds(10)}));
  SimulatedWorkers::Options reporting = {
      .address = coordinator->grpc_address(),
      .job_id = "bench",
      .workers = options.workers,
      .experts = options.experts,
      .connections =
          options.connections > 0 ? options.connections : options.workers,
      .policy = options.policy};
  SimulatedWorkers reporters(reporting);
  BMOE_RETURN_IF_ERROR(reporters.Register());
  BMOE_RETURN_IF_ERROR(reporters.OpenSessions(/*acknowledged=*/true));
  BMOE_RETURN_IF_ERROR(reporters.SendCalibrations());
  size_t plan_bytes = 0;
  int64_t iteration = 0;
  while (iteration < kWarmUpRounds) {
    BMOE_RETURN_IF_ERROR(reporters.Round(iteration).status());
    BMOE_ASSIGN_OR_RETURN(plan_bytes, VerifyPlans(reporters, iteration++,
                                                  options.policy + "@inline"));
  }

  BMOE_ASSIGN_OR_RETURN(const auto echo, EchoProcess::Start(plan_bytes));
  reporting.address = echo->address();
  SimulatedWorkers echoed(reporting);
  BMOE_RETURN_IF_ERROR(echoed.OpenSessions(/*acknowledged=*/true));
  ServiceTimes times;
  BMOE_RETURN_IF_ERROR(TimeTurn(echoed, iteration, &times.echo_us));
  times.echo_us.clear();
  const SteadyClock clock;
  const absl::Time end = clock.Now() + absl::Seconds(options.seconds);
  while (clock.Now() < end) {
    BMOE_RETURN_IF_ERROR(TimeTurn(reporters, iteration, &times.coordinator_us));
    BMOE_RETURN_IF_ERROR(TimeTurn(echoed, iteration, &times.echo_us));
  }
  BMOE_RETURN_IF_ERROR(reporters.Round(iteration).status());
  BMOE_RETURN_IF_ERROR(
      VerifyPlans(reporters, iteration, options.policy + "@inline").status());
  return times;
}

nlohmann::ordered_json Quantiles(const std::vector<double>& times_us) {
  return {{"p50", Quantile(times_us, 0.5)}, {"p99", Quantile(times_us, 0.99)}};
}

void Print(const ServiceBenchOptions& options, const ServiceTimes& times) {
  nlohmann::ordered_json report;
  report["workers"] = options.workers;
  report["coordinator_us"] = Quantiles(times.coordinator_us);
  report["echo_us"] = Quantiles(times.echo_us);
  report["ratio_p50"] =
      Quantile(times.coordinator_us, 0.5) / Quantile(times.echo_us, 0.5);
  report["policy"] = options.policy;
  report["experts"] = options.experts;
  report["rounds"] = times.coordinator_us.size();
  if (options.output == "json") {
    std::cout << report.dump() << "\n";
    return;
  }
  for (const auto& [key, value] : report.items()) {
    std::cout << key << ": " << value.dump() << "\n";
  }
}

absl::Status Run(const ServiceBenchOptions& options) {
  if (!options.echo_address_file.empty()) {
    return ServeEcho(options.echo_address_file, options.echo_plan_bytes);
  }
  BMOE_ASSIGN_OR_RETURN(const ServiceTimes times, Measure(options));
  Print(options, times);
  return absl::OkStatus();
}

}  // namespace

void AddServiceBench(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "service", "Gather, plan and scatter beside a bare gRPC echo");
  const auto options = std::make_shared<ServiceBenchOptions>();
  command->option_defaults()->always_capture_default();
  command->add_option("--workers", options->workers, "Simulated workers")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--connections", options->connections,
                   "TCP connections they share; 0: one each")
      ->check(CLI::Range(0, 4096));
  command->add_option("--experts", options->experts, "Experts of the layer")
      ->check(CLI::Range(1, 4096));
  command->add_option("--seconds", options->seconds, "How long to measure, s")
      ->check(CLI::Range(0.1, 3600.0));
  command->add_option("--policy", options->policy, "Policy of the job");
  command->add_option("-o,--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  // Between this program and itself: no group, no help.
  command->add_option("--echo-address-file", options->echo_address_file)
      ->group("");
  command->add_option("--echo-plan-bytes", options->echo_plan_bytes)->group("");
  command->callback([options] {
    const absl::Status status = Run(*options);
    if (status.ok()) return;
    std::cerr << "balancemoe-bench service: " << status.message() << "\n";
    throw CLI::RuntimeError(1);
  });
}

}  // namespace balancemoe::worker
