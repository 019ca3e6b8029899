#include "worker/bench/service_echo_process.h"

#include <poll.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(10);
constexpr int kPollIntervalMs = 5;

}  // namespace

absl::StatusOr<std::unique_ptr<EchoProcess>> EchoProcess::Start(
    size_t plan_bytes) {
  std::unique_ptr<EchoProcess> echo(new EchoProcess);
  std::string directory =
      std::filesystem::temp_directory_path() / "balancemoe-echo-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("echo: no temporary directory like ", directory));
  }
  echo->directory_ = directory;
  const std::string file = directory + "/address";
  Command command;
  command.arguments = {ThisProgram(), "service-echo",
                       absl::StrCat("--address-file=", file),
                       absl::StrCat("--plan-bytes=", plan_bytes)};
  BMOE_ASSIGN_OR_RETURN(echo->process_, ChildProcess::Start(command));
  BMOE_RETURN_IF_ERROR(echo->AwaitAddress(file));
  return echo;
}

absl::Status EchoProcess::AwaitAddress(const std::string& file) {
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + kStartTimeout;
  while (clock.Now() < deadline) {
    if (const auto ended = process_->Poll()) {
      return absl::UnavailableError(
          absl::StrCat("echo: ended with ", DescribeEnd(*ended)));
    }
    if (std::ifstream(file) >> address_) return absl::OkStatus();
    poll(nullptr, 0, kPollIntervalMs);
  }
  return absl::UnavailableError(absl::StrCat(
      "echo: not ready after ", absl::FormatDuration(kStartTimeout)));
}

EchoProcess::~EchoProcess() {
  if (process_ != nullptr) process_->Stop(absl::Seconds(1));
  std::error_code error;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, error);
}

}  // namespace balancemoe::worker
