#ifndef BALANCEMOE_COMMON_IO_TEXT_FILE_H_
#define BALANCEMOE_COMMON_IO_TEXT_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe {

// More text than this is refused, so that a small compressed file cannot take
// all of the machine's memory.
inline constexpr int64_t kMostTextBytes = int64_t{4} << 30;

// The text of a file: plain, gzip or zstd, whichever its first bytes say.
//
// Errors:
//   NotFound         the file cannot be read; says which and why.
//   InvalidArgument  "FILE:LINE: what is wrong": an empty file, compressed data
//                    that end early or are corrupt, more than `most_bytes`.
absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         int64_t most_bytes = kMostTextBytes);

// Writes a file, compressed as the end of its name (.gz, .zst) says.
//
// Errors: PermissionDenied when the file cannot be written, with the reason.
absl::Status WriteTextFile(const std::string& path, absl::string_view text);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TEXT_FILE_H_
