#include "coordinator/coordinator_options.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/listen_address.h"

namespace balancemoe::coordinator {

absl::Status ValidateOptions(const CoordinatorOptions& options) {
  BMOE_ASSIGN_OR_RETURN(const ListenAddress address,
                        ParseListenAddress(options.listen));
  BMOE_RETURN_IF_ERROR(ParseListenAddress(options.http_listen).status());
  if (!address.is_loopback() && !options.allow_insecure) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen ", options.listen,
        ": other machines could reach the coordinator without encryption; use "
        "a loopback address, or say --allow-insecure"));
  }
  if (options.jobs.lease < 2 * options.jobs.heartbeat_interval) {
    return absl::InvalidArgumentError(
        absl::StrCat("--lease-ms: ", absl::FormatDuration(options.jobs.lease),
                     " is less than two heartbeat intervals of ",
                     absl::FormatDuration(options.jobs.heartbeat_interval)));
  }
  return absl::OkStatus();
}

}  // namespace balancemoe::coordinator
