#ifndef BALANCEMOE_COMMON_IO_TEXT_LINES_H_
#define BALANCEMOE_COMMON_IO_TEXT_LINES_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace balancemoe {

// Walks through the lines of a text; both "\n" and "\r\n" end one, and the last
// may lack its end.
class TextLines {
 public:
  // `text` must outlive this.
  explicit TextLines(absl::string_view text) : rest_(text) {}

  // Steps to the next line; false when there is none.
  bool Next() {
    if (rest_.empty()) return false;
    const size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end == absl::string_view::npos ? rest_.size()
                                                       : end + 1);
    if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
    ++number_;
    return true;
  }

  absl::string_view line() const { return line_; }
  // Counts from 1.
  int64_t number() const { return number_; }
  // Whether nothing but line ends follows.
  bool OnlyBlankLinesFollow() const {
    return rest_.find_first_not_of("\r\n") == absl::string_view::npos;
  }

 private:
  absl::string_view rest_;
  absl::string_view line_;
  int64_t number_ = 0;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TEXT_LINES_H_
