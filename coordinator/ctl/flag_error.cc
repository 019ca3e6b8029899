#include "coordinator/ctl/flag_error.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace balancemoe::coordinator {
namespace {

// Whether "FILE:LINE: " stands somewhere at the front.
bool NamesALine(absl::string_view message) {
  for (size_t colon = message.find(':'); colon != absl::string_view::npos;
       colon = message.find(':', colon + 1)) {
    const size_t end = message.find_first_not_of("0123456789", colon + 1);
    if (end == absl::string_view::npos) return false;
    if (end > colon + 1 && absl::StartsWith(message.substr(end), ": ")) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status OfFlag(absl::string_view flag, const absl::Status& status) {
  if (status.ok() || absl::StartsWith(status.message(), "--") ||
      NamesALine(status.message())) {
    return status;
  }
  return absl::Status(status.code(),
                      absl::StrCat(flag, ": ", status.message()));
}

}  // namespace balancemoe::coordinator
