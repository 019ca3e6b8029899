#include "coordinator/ctl/calibrate_command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "coordinator/ctl/exit_code.h"

namespace balancemoe::coordinator {
namespace {

constexpr char kProgram[] = "balancemoe-calibrate";

// Returns only if that program cannot be started.
absl::Status BecomeCalibrate(std::vector<std::string> arguments) {
  std::error_code error;
  const std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = self.parent_path() / kProgram;
  if (error || !std::filesystem::exists(program, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("calibrate: there is no ", program,
                     "; it is built with LibTorch: ./run build ", kProgram));
  }
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return absl::InternalError(absl::StrCat(
      "calibrate: ", program, " cannot be started: ", strerror(errno)));
}

}  // namespace

void AddCalibrateCommand(CLI::App& app) {
  CLI::App* const calibrate = app.add_subcommand(
      "calibrate",
      "Measure a profile of this machine: runs balancemoe-calibrate, whose "
      "--help has the flags, with all that follows");
  calibrate->prefix_command();
  calibrate->callback(
      [calibrate] { EndCommand(BecomeCalibrate(calibrate->remaining())); });
}

}  // namespace balancemoe::coordinator
