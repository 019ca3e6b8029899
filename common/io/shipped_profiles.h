#ifndef BALANCEMOE_COMMON_IO_SHIPPED_PROFILES_H_
#define BALANCEMOE_COMMON_IO_SHIPPED_PROFILES_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace balancemoe {

// A file of common/io/profiles/, part of the program, so that it needs no
// directory of files beside it.
struct ShippedProfile {
  absl::string_view name;
  absl::string_view text;
};

// Sorted by name.
absl::Span<const ShippedProfile> ShippedProfiles();

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_SHIPPED_PROFILES_H_
