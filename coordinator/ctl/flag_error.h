#ifndef BALANCEMOE_COORDINATOR_CTL_FLAG_ERROR_H_
#define BALANCEMOE_COORDINATOR_CTL_FLAG_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace balancemoe::coordinator {

// `status` with its flag in front, unless its message names a flag or a place
// "FILE:LINE:" by itself.
absl::Status OfFlag(absl::string_view flag, const absl::Status& status);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_FLAG_ERROR_H_
