#ifndef BALANCEMOE_COMMON_DURABLE_FILE_H_
#define BALANCEMOE_COMMON_DURABLE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace balancemoe {

// Makes the file hold all of `parts`, one after the other. Whenever the process
// or the machine dies, it holds these or what it held before; until it is
// complete, the new text lies in "PATH.new".
//
// Errors: Unavailable, with the path and the system's reason. The file is then
// as before.
absl::Status ReplaceFile(const std::string& path,
                         absl::Span<const absl::string_view> parts);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_DURABLE_FILE_H_
