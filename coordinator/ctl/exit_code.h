#ifndef BALANCEMOE_COORDINATOR_CTL_EXIT_CODE_H_
#define BALANCEMOE_COORDINATOR_CTL_EXIT_CODE_H_

#include "absl/status/status.h"

namespace balancemoe::coordinator {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUse = 2;

// InvalidArgument, NotFound, PermissionDenied and FailedPrecondition are the
// user's to put right.
int ExitCodeOf(const absl::Status& status);

// Unless `status` is OK, prints its message on standard error and ends the
// running subcommand with its exit code: by a CLI::RuntimeError, as CLI11 wants
// of callbacks.
void EndCommand(const absl::Status& status);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_EXIT_CODE_H_
