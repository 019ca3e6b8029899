#include "worker/train/embedded_coordinator.h"

#include <poll.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

// What the coordinator says; shown only when it does not come up.
constexpr char kLog[] = "coordinator.log";
constexpr absl::Duration kPollInterval = absl::Milliseconds(5);
constexpr absl::Duration kStopGrace = absl::Seconds(3);

absl::StatusOr<std::string> MakeTemporaryDirectory() {
  std::error_code error;
  std::string path =
      (std::filesystem::temp_directory_path(error) / "balancemoe-XXXXXX")
          .string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        "embedded coordinator: no temporary directory like ", path));
  }
  return path;
}

std::string ReadLog(const std::string& directory) {
  std::ifstream file(absl::StrCat(directory, "/", kLog));
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedCoordinator>> EmbeddedCoordinator::Start(
    const Options& options) {
  std::unique_ptr<EmbeddedCoordinator> coordinator(new EmbeddedCoordinator);
  BMOE_ASSIGN_OR_RETURN(coordinator->directory_, MakeTemporaryDirectory());
  const std::string& directory = coordinator->directory_;
  Command command;
  command.arguments = {
      SiblingProgram("balancemoe-coordinator"),
      "--listen=127.0.0.1:0",
      "--http-listen=127.0.0.1:0",
      absl::StrCat("--state-dir=", directory, "/state"),
      absl::StrCat("--port-file=", directory, "/ports.json"),
      absl::StrCat("--report-deadline-ms=",
                   absl::ToInt64Milliseconds(options.report_deadline))};
  command.log_path = absl::StrCat(directory, "/", kLog);
  BMOE_ASSIGN_OR_RETURN(coordinator->process_, ChildProcess::Start(command));
  BMOE_RETURN_IF_ERROR(coordinator->AwaitReady(options));
  return coordinator;
}

absl::Status EmbeddedCoordinator::AwaitReady(const Options& options) {
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + options.start_timeout;
  while (clock.Now() < deadline) {
    if (const auto ended = process_->Poll()) {
      return absl::UnavailableError(
          absl::StrCat("embedded coordinator: ended with ", DescribeEnd(*ended),
                       ": ", ReadLog(directory_)));
    }
    std::ifstream file(directory_ + "/ports.json");
    // Not there yet, or half written, is the same: asked again.
    const auto ports = nlohmann::json::parse(file, /*cb=*/nullptr,
                                             /*allow_exceptions=*/false);
    if (ports.is_object() && ports.contains("grpc") && ports.contains("http")) {
      grpc_address_ = ports["grpc"].get<std::string>();
      http_address_ = ports["http"].get<std::string>();
      return absl::OkStatus();
    }
    poll(nullptr, 0,
         static_cast<int>(absl::ToInt64Milliseconds(kPollInterval)));
  }
  return absl::UnavailableError(
      absl::StrCat("embedded coordinator: not ready after ",
                   absl::FormatDuration(options.start_timeout)));
}

EmbeddedCoordinator::~EmbeddedCoordinator() {
  if (process_ != nullptr) process_->Stop(kStopGrace);
  std::error_code error;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, error);
}

}  // namespace balancemoe::worker
