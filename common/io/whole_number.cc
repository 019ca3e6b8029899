#include "common/io/whole_number.h"

#include <charconv>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/io/input_error.h"

namespace balancemoe {
namespace {

absl::string_view WhatItIs(absl::string_view text) {
  if (text.empty()) return "nothing";
  const bool negative = absl::ConsumePrefix(&text, "-");
  if (text.empty() || !absl::c_all_of(text, absl::ascii_isdigit)) {
    return "no whole number";
  }
  return negative ? "negative" : "too large";
}

}  // namespace

bool ParseWholeNumber(absl::string_view text, int64_t most, int64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && parsed == end && text[0] != '-' &&
         value <= most;
}

std::string WholeNumberProblem(absl::string_view column, absl::string_view text,
                               int64_t most) {
  return absl::StrCat(column, " is ", Quoted(text), ", which is ",
                      WhatItIs(text), "; a whole number from 0 to ", most,
                      " is right");
}

}  // namespace balancemoe
