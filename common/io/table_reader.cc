#include "common/io/table_reader.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/io/input_error.h"
#include "common/io/text_lines.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

using nlohmann::json;

absl::Status NoColumn(const TableReader::Options& options, int64_t line,
                      const std::string& name,
                      const std::vector<std::string>& columns) {
  // Enough to recognise the table by.
  constexpr size_t kMostNames = 12;
  std::vector<std::string> names;
  for (const std::string& column : columns) {
    if (names.size() == kMostNames) {
      names.push_back("...");
      break;
    }
    names.push_back(Quoted(column));
  }
  return ErrorAt(options.name, line,
                 absl::StrCat("there is no column ", Quoted(name), "; there ",
                              columns.empty() ? "are none" : "are ",
                              absl::StrJoin(names, ", ")));
}

class CsvReader final : public TableReader {
 public:
  CsvReader(absl::string_view text, const Options& options)
      : options_(options), lines_(text) {}

  absl::Status Open() {
    if (!lines_.Next()) return ErrorAt(options_.name, 1, "the file is empty");
    BMOE_RETURN_IF_ERROR(Split(columns_));
    std::set<std::string> names;
    for (const std::string& column : columns_) {
      if (names.insert(column).second) continue;
      return ErrorAt(options_.name, 1,
                     absl::StrCat("two columns are named ", Quoted(column)));
    }
    return absl::OkStatus();
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  absl::Status Select(const std::vector<std::string>& names) override {
    selected_.clear();
    for (const std::string& name : names) {
      const auto found = absl::c_find(columns_, name);
      if (found == columns_.end()) {
        return NoColumn(options_, 1, name, columns_);
      }
      selected_.push_back(static_cast<size_t>(found - columns_.begin()));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next(std::vector<std::string>& cells) override {
    if (lines_.OnlyBlankLinesFollow()) return false;
    lines_.Next();
    BMOE_RETURN_IF_ERROR(Split(row_));
    if (row_.size() != columns_.size()) {
      return ErrorAt(options_.name, line(),
                     absl::StrCat(row_.size(), " columns; the header has ",
                                  columns_.size()));
    }
    cells.resize(selected_.size());
    for (size_t i = 0; i < selected_.size(); ++i) cells[i] = row_[selected_[i]];
    return true;
  }

  int64_t line() const override { return lines_.number(); }

 private:
  absl::Status Split(std::vector<std::string>& cells) const {
    size_t count = 0;
    absl::string_view rest = lines_.line();
    for (bool more = true; more;) {
      if (count == cells.size()) cells.emplace_back();
      BMOE_RETURN_IF_ERROR(TakeCell(rest, cells[count]));
      ++count;
      more = !rest.empty();
      if (more) rest.remove_prefix(1);
    }
    cells.resize(count);
    return absl::OkStatus();
  }

  // Takes a cell off the beginning of `rest`, up to its separator.
  absl::Status TakeCell(absl::string_view& rest, std::string& cell) const {
    cell.clear();
    if (rest.empty() || rest[0] != '"') {
      const size_t end = std::min(rest.find(options_.separator), rest.size());
      absl::StrAppend(&cell, absl::StripAsciiWhitespace(rest.substr(0, end)));
      rest.remove_prefix(end);
      return absl::OkStatus();
    }
    while (!rest.empty() && rest[0] == '"') {
      // A quote after the first ended the part before it: two make one.
      if (!cell.empty()) cell += '"';
      const size_t end = rest.find('"', 1);
      if (end == absl::string_view::npos) {
        return ErrorAt(options_.name, line(), "a quote is never closed");
      }
      absl::StrAppend(&cell, rest.substr(1, end - 1));
      rest.remove_prefix(end + 1);
    }
    if (!rest.empty() && rest[0] != options_.separator) {
      return ErrorAt(
          options_.name, line(),
          absl::StrCat("no ", Quoted(absl::string_view(&options_.separator, 1)),
                       " after a closing quote"));
    }
    return absl::OkStatus();
  }

  const Options options_;
  TextLines lines_;
  std::vector<std::string> columns_;
  std::vector<std::string> row_;
  // Places in the header.
  std::vector<size_t> selected_;
};

class JsonLinesReader final : public TableReader {
 public:
  JsonLinesReader(absl::string_view text, const Options& options)
      : options_(options), lines_(text), ahead_(text) {}

  absl::Status Open() {
    const absl::StatusOr<json> first = NextObject(ahead_);
    if (!first.ok()) return first.status();
    for (const auto& [name, value] : first->items()) columns_.push_back(name);
    return absl::OkStatus();
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  absl::Status Select(const std::vector<std::string>& names) override {
    for (const std::string& name : names) {
      if (absl::c_linear_search(columns_, name)) continue;
      return NoColumn(options_, ahead_.number(), name, columns_);
    }
    selected_ = names;
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next(std::vector<std::string>& cells) override {
    if (lines_.OnlyBlankLinesFollow()) return false;
    BMOE_ASSIGN_OR_RETURN(const json object, NextObject(lines_));
    cells.resize(selected_.size());
    for (size_t i = 0; i < selected_.size(); ++i) {
      const auto found = object.find(selected_[i]);
      if (found == object.end()) {
        return ErrorAt(options_.name, line(),
                       absl::StrCat("the object has no ", Quoted(selected_[i]),
                                    ", which the first one has"));
      }
      BMOE_RETURN_IF_ERROR(ToText(selected_[i], *found, cells[i]));
    }
    return true;
  }

  int64_t line() const override { return lines_.number(); }

 private:
  // Of the next line; an empty one is an error.
  absl::StatusOr<json> NextObject(TextLines& lines) const {
    if (!lines.Next()) return ErrorAt(options_.name, 1, "the file is empty");
    const absl::string_view line = lines.line();
    json object = json::parse(line.begin(), line.end(), nullptr,
                              /*allow_exceptions=*/false);
    if (object.is_object()) return object;
    return ErrorAt(options_.name, lines.number(),
                   absl::StrCat(Quoted(line),
                                " is no JSON object; each line "
                                "is one"));
  }

  absl::Status ToText(const std::string& name, const json& value,
                      std::string& text) const {
    // Deeper ones would be written by recursion without a bound.
    const bool flat =
        value.is_primitive() ||
        (value.is_array() && absl::c_all_of(value, [](const json& element) {
           return element.is_primitive();
         }));
    if (!flat) {
      return ErrorAt(options_.name, line(),
                     absl::StrCat(Quoted(name),
                                  " is neither a plain value nor "
                                  "an array of them"));
    }
    text = value.is_string()
               ? value.get<std::string>()
               : value.dump(-1, ' ', false, json::error_handler_t::replace);
    return absl::OkStatus();
  }

  const Options options_;
  TextLines lines_;
  // Looks at the first object for the columns.
  TextLines ahead_;
  std::vector<std::string> columns_;
  std::vector<std::string> selected_;
};

template <typename Reader>
absl::StatusOr<std::unique_ptr<TableReader>> Opened(
    absl::string_view text, const TableReader::Options& options) {
  auto reader = std::make_unique<Reader>(text, options);
  BMOE_RETURN_IF_ERROR(reader->Open());
  return std::unique_ptr<TableReader>(std::move(reader));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> TableReader::Open(
    absl::string_view text, const Options& options) {
  return options.format == TableFormat::kCsv
             ? Opened<CsvReader>(text, options)
             : Opened<JsonLinesReader>(text, options);
}

}  // namespace balancemoe
