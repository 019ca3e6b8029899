#ifndef BALANCEMOE_COMMON_IO_INPUT_ERROR_H_
#define BALANCEMOE_COMMON_IO_INPUT_ERROR_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace balancemoe {

// InvalidArgument "FILE:LINE: problem". Lines count from 1.
absl::Status ErrorAt(absl::string_view file, int64_t line,
                     absl::string_view problem);

// `text` of an input in quotes, fit for a message whatever bytes it holds:
// unprintable ones escaped, the middle of long ones left out.
std::string Quoted(absl::string_view text);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_INPUT_ERROR_H_
