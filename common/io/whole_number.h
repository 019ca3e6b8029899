#ifndef BALANCEMOE_COMMON_IO_WHOLE_NUMBER_H_
#define BALANCEMOE_COMMON_IO_WHOLE_NUMBER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace balancemoe {

// Reads digits alone (no sign, blank, point or exponent) into `value`; false
// when `text` is something else or more than `most`.
bool ParseWholeNumber(absl::string_view text, int64_t most, int64_t& value);

// Why ParseWholeNumber said no: "e3 is '-5', which is negative; a whole number
// from 0 to 7 is right".
std::string WholeNumberProblem(absl::string_view column, absl::string_view text,
                               int64_t most);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_WHOLE_NUMBER_H_
