#ifndef BALANCEMOE_COORDINATOR_COORDINATOR_OPTIONS_H_
#define BALANCEMOE_COORDINATOR_COORDINATOR_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/job_environment.h"

namespace balancemoe::coordinator {

// What operators may set; the flags of the same names say what each is.
struct CoordinatorOptions {
  std::string listen = "127.0.0.1:7070";
  std::string http_listen = "127.0.0.1:9070";
  bool allow_insecure = false;
  // Empty: epochs are not kept.
  std::string state_dir;
  // Empty: loads are not recorded.
  std::string record_loads;
  std::string port_file;
  // "text" or "json".
  std::string log_format = "text";
  bool reflection = true;
  // Between telling load balancers and telling workers that the end is near.
  absl::Duration drain_delay = absl::ZeroDuration();
  // How long sessions may take to end once they are told to.
  absl::Duration drain_grace = absl::Seconds(2);
  JobOptions jobs;
  // All of the above by flag name, as YAML; for /configz.
  std::string as_yaml;
};

// Errors: InvalidArgument, naming the flag and what would be right.
absl::Status ValidateOptions(const CoordinatorOptions& options);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_COORDINATOR_OPTIONS_H_
