#include <spdlog/spdlog.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/coordinator_flags.h"
#include "coordinator/coordinator_server.h"
#include "coordinator/logging.h"
#include "coordinator/port_file.h"
#include "coordinator/signal_loop.h"
#include "coordinator/version.h"

namespace balancemoe::coordinator {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

int Fail(const absl::Status& status) {
  std::cerr << "balancemoe-coordinator: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? kWrongUse : kFailed;
}

int Serve(const CoordinatorOptions& options) {
  SignalLoop signals;
  StartLogging(options.log_format);
  auto server = CoordinatorServer::Start(options);
  if (!server.ok()) return Fail(server.status());
  spdlog::info(
      "balancemoe-coordinator {} serves workers at {}, people at "
      "http://{}/",
      Version(), (*server)->grpc_address(), (*server)->http_address());
  if (options.state_dir.empty()) {
    spdlog::warn("no --state-dir: job epochs are not kept over restarts");
  }
  if (!options.port_file.empty()) {
    const absl::Status written =
        WritePortFile(options.port_file, (*server)->grpc_address(),
                      (*server)->http_address());
    if (!written.ok()) return Fail(written);
  }
  signals.WaitForFirst();
  spdlog::info("drains");
  (*server)->Drain();
  spdlog::info("done");
  return kDone;
}

int Main(const std::vector<std::string>& arguments) {
  const auto command = ParseCommandLine(arguments);
  if (!command.ok()) {
    std::cerr << "balancemoe-coordinator: " << command.status().message()
              << "\n";
    return kWrongUse;
  }
  if (command->action == CommandLine::Action::kPrint) {
    std::cout << command->text;
    return kDone;
  }
  return Serve(command->options);
}

}  // namespace
}  // namespace balancemoe::coordinator

int main(int argc, char** argv) {
  return balancemoe::coordinator::Main({argv + 1, argv + argc});
}
