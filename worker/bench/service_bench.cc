#include "worker/bench/service_bench.h"

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/bench/service_echo.h"
#include "worker/bench/service_options.h"
#include "worker/bench/service_report.h"
#include "worker/bench/service_run.h"
#include "worker/train/child_process.h"

namespace balancemoe::worker {
namespace {

// What shells show for SIGINT.
constexpr int kStoppedBySignal = 130;

struct EchoOptions {
  std::string address_file;
  size_t plan_bytes = 0;
};

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
      return 2;
    case absl::StatusCode::kUnavailable:
      return 4;
    case absl::StatusCode::kCancelled:
      return kStoppedBySignal;
    default:
      return 1;
  }
}

absl::Status RunService(ServiceOptions options) {
  if (absl::Status valid = CompleteServiceOptions(options); !valid.ok()) {
    return valid;
  }
  BlockEndingSignals();
  const absl::StatusOr<ServiceTimes> times = MeasureService(options, std::cerr);
  if (!times.ok()) return times.status();
  const auto report =
      BuildServiceReport(options.job, options.connections, *times);
  if (options.output == "json") {
    std::cout << report.dump() << "\n";
  } else {
    std::cout << ServiceTable(report);
  }
  return absl::OkStatus();
}

// Ends a command with `status`.
void EndWith(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "balancemoe-bench service: " << status.message() << "\n";
  throw CLI::RuntimeError(ExitCodeOf(status));
}

}  // namespace

void AddServiceBench(CLI::App& app) {
  CLI::App* const service = app.add_subcommand(
      "service", "Gather, plan and scatter beside a bare gRPC echo");
  const auto options = std::make_shared<ServiceOptions>();
  AddServiceFlags(*service, *options);
  service->callback([options] { EndWith(RunService(*options)); });

  // No group, no help: only this program calls it.
  CLI::App* const echo = app.add_subcommand("service-echo")->group("");
  const auto echo_options = std::make_shared<EchoOptions>();
  echo->add_option("--address-file", echo_options->address_file)->required();
  echo->add_option("--plan-bytes", echo_options->plan_bytes)->required();
  echo->callback([echo_options] {
    EndWith(ServeEcho(echo_options->address_file, echo_options->plan_bytes));
  });
}

}  // namespace balancemoe::worker
