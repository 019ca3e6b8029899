#ifndef BALANCEMOE_COMMON_TERMINAL_TEXT_TABLE_H_
#define BALANCEMOE_COMMON_TERMINAL_TEXT_TABLE_H_

#include <string>
#include <vector>

#include "absl/types/span.h"

namespace balancemoe {

// Columns of text that line up, under two lines of titles:
//
//   policy    layer time
//                     us
//   static        4321.0
struct TextColumn {
  std::string title;
  // Stands under the title; may be empty.
  std::string unit = {};
  // Numbers stand at the right.
  bool left = false;
};

// Every row has a cell for each column; cells are ASCII.
std::string FormatTextTable(absl::Span<const TextColumn> columns,
                            absl::Span<const std::vector<std::string>> rows);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_TERMINAL_TEXT_TABLE_H_
