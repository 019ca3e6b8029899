#ifndef BALANCEMOE_COORDINATOR_COORDINATOR_FLAGS_H_
#define BALANCEMOE_COORDINATOR_COORDINATOR_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/coordinator_options.h"

namespace balancemoe::coordinator {

// What a command line asks for.
struct CommandLine {
  enum class Action {
    kServe,
    // Print `text` and be done.
    kPrint,
  };
  Action action = Action::kServe;
  std::string text;
  CoordinatorOptions options;
};

// Reads `arguments` (without the program's name), the environment and the file
// that --config names; a flag wins over the environment, that over the file,
// and the file over the default.
//
// Errors: InvalidArgument, naming the flag or variable, or `FILE:LINE`, and
// what would be right.
absl::StatusOr<CommandLine> ParseCommandLine(
    const std::vector<std::string>& arguments);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_COORDINATOR_FLAGS_H_
