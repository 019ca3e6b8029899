#include "coordinator/ctl/exit_code.h"

#include <CLI/CLI.hpp>
#include <iostream>

namespace balancemoe::coordinator {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
      return kWrongUse;
    default:
      return kFailed;
  }
}

void EndCommand(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "balancemoectl: " << status.message() << "\n";
  throw CLI::RuntimeError(ExitCodeOf(status));
}

}  // namespace balancemoe::coordinator
