#include "common/terminal/text_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace balancemoe {
namespace {

constexpr char kBetweenColumns[] = "  ";

void AppendLine(absl::Span<const TextColumn> columns,
                absl::Span<const size_t> widths,
                absl::Span<const std::string> cells, std::string& text) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string blanks(widths[i] - cells[i].size(), ' ');
    if (i > 0) line += kBetweenColumns;
    absl::StrAppend(&line, columns[i].left ? "" : blanks, cells[i],
                    columns[i].left ? blanks : "");
  }
  absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
}

}  // namespace

std::string FormatTextTable(absl::Span<const TextColumn> columns,
                            absl::Span<const std::vector<std::string>> rows) {
  std::vector<std::string> titles;
  std::vector<std::string> units;
  std::vector<size_t> widths;
  for (const TextColumn& column : columns) {
    titles.push_back(column.title);
    units.push_back(column.unit);
    widths.push_back(std::max(column.title.size(), column.unit.size()));
  }
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  AppendLine(columns, widths, titles, text);
  if (absl::c_any_of(units, [](const std::string& u) { return !u.empty(); })) {
    AppendLine(columns, widths, units, text);
  }
  for (const std::vector<std::string>& row : rows) {
    AppendLine(columns, widths, row, text);
  }
  return text;
}

}  // namespace balancemoe
