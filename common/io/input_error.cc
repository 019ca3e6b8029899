#include "common/io/input_error.h"

#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace balancemoe {

absl::Status ErrorAt(absl::string_view file, int64_t line,
                     absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat(file, ":", line, ": ", problem));
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 60;
  constexpr size_t kEnd = 12;
  if (text.size() <= kMost) return absl::StrCat("'", absl::CEscape(text), "'");
  return absl::StrCat("'", absl::CEscape(text.substr(0, kMost - kEnd)), "...",
                      absl::CEscape(text.substr(text.size() - kEnd)), "'");
}

}  // namespace balancemoe
