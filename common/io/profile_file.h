#ifndef BALANCEMOE_COMMON_IO_PROFILE_FILE_H_
#define BALANCEMOE_COMMON_IO_PROFILE_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/planning/profile.h"

namespace balancemoe {

// The value of --profile: the name of a shipped profile, or a file if it has a
// slash in it or ends in .yaml or .yml.
//
// Errors:
//   NotFound         there is no such profile; lists those that there are. Or
//                    the file cannot be read.
//   InvalidArgument  as ParseProfile.
absl::StatusOr<Profile> LoadProfile(const std::string& name_or_path);

// Names of the shipped profiles, sorted.
std::vector<std::string> ShippedProfileNames();

// Parses a profile file; `file` is its name in messages.
//
// Errors: InvalidArgument as "FILE:LINE: KEY: what is wrong; what would be
// right": no YAML, an unknown or missing key, one that comes twice, a value of
// another type or one that ValidateProfile refuses.
absl::StatusOr<Profile> ParseProfile(absl::string_view text,
                                     const std::string& file);

// The profile as a file that ParseProfile reads to the same values. `origin`,
// lines of text, says in comments at the top where the numbers come from.
std::string FormatProfile(const Profile& profile, absl::string_view origin);

// Writes that file.
//
// Errors: PermissionDenied when the file cannot be written.
absl::Status WriteProfile(const Profile& profile, absl::string_view origin,
                          const std::string& path);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_PROFILE_FILE_H_
