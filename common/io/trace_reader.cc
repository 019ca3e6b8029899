#include "common/io/trace_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/io/input_error.h"
#include "common/io/text_file.h"
#include "common/io/text_lines.h"
#include "common/io/trace_builder.h"
#include "common/io/whole_number.h"
#include "common/planning/layer_snapshot.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

// The cells of one line, taken one after the other without copies.
class Cells {
 public:
  explicit Cells(absl::string_view line) : rest_(line) {}

  // False when the line has no further cell.
  bool Next(absl::string_view& cell) {
    if (ended_) return false;
    const size_t comma = rest_.find(',');
    cell = rest_.substr(0, comma);
    ended_ = comma == absl::string_view::npos;
    if (!ended_) rest_.remove_prefix(comma + 1);
    return true;
  }

 private:
  absl::string_view rest_;
  bool ended_ = false;
};

int64_t CellsOf(absl::string_view line) { return absl::c_count(line, ',') + 1; }

struct Header {
  bool by_rank = false;
  int32_t experts = 0;

  int64_t columns() const { return int64_t{by_rank ? 3 : 2} + experts; }
};

absl::StatusOr<Header> ParseHeader(absl::string_view line,
                                   const std::string& name) {
  const auto error = [&](absl::string_view column) {
    return ErrorAt(name, 1,
                   absl::StrCat("the header has ", Quoted(column),
                                " out of place; a trace begins with "
                                "iteration,layer[,rank],e0,e1,... and "
                                "`balancemoectl trace convert` reads other "
                                "tables"));
  };
  Header header;
  Cells cells(line);
  absl::string_view cell;
  for (const absl::string_view expected : {"iteration", "layer"}) {
    if (!cells.Next(cell) || cell != expected) return error(cell);
  }
  while (cells.Next(cell)) {
    if (cell == "rank" && !header.by_rank && header.experts == 0) {
      header.by_rank = true;
    } else if (cell != absl::StrCat("e", header.experts)) {
      return error(cell);
    } else if (++header.experts > kMostTraceExperts) {
      return ErrorAt(name, 1,
                     absl::StrCat("more than ", kMostTraceExperts,
                                  " experts; that many at most"));
    }
  }
  if (header.experts == 0) {
    return ErrorAt(name, 1,
                   "the header has no experts; their columns are e0,e1,...");
  }
  return header;
}

// Reads the cells of a line into a builder.
class RowParser {
 public:
  RowParser(const Header& header, const std::string& name)
      : header_(header), name_(name) {}

  absl::Status Parse(const TextLines& lines, TraceBuilder& builder) const {
    Cells cells(lines.line());
    int64_t iteration = 0;
    int64_t layer = 0;
    int64_t rank = 0;
    if (!Read(cells, kMostTraceIteration, iteration) ||
        !Read(cells, kMostTraceLayer, layer) ||
        (header_.by_rank && !Read(cells, kMostTraceRank, rank))) {
      return Problem(lines);
    }
    const absl::Span<int64_t> counts =
        builder.AddRow({.iteration = Iteration(iteration),
                        .layer = LayerId(static_cast<int32_t>(layer)),
                        .rank = WorkerRank(static_cast<int32_t>(rank)),
                        .line = lines.number()});
    for (int64_t& count : counts) {
      if (!Read(cells, kMostTokens, count)) return Problem(lines);
    }
    absl::string_view extra;
    return cells.Next(extra) ? Problem(lines) : absl::OkStatus();
  }

 private:
  static bool Read(Cells& cells, int64_t most, int64_t& value) {
    absl::string_view cell;
    return cells.Next(cell) && ParseWholeNumber(cell, most, value);
  }

  // Looks again, closely, at a line that could not be read.
  absl::Status Problem(const TextLines& lines) const {
    const int64_t columns = CellsOf(lines.line());
    if (columns != header_.columns()) {
      return ErrorAt(name_, lines.number(),
                     absl::StrCat(columns, " columns; the header has ",
                                  header_.columns()));
    }
    Cells cells(lines.line());
    absl::string_view cell;
    for (int64_t column = 0; cells.Next(cell); ++column) {
      int64_t value = 0;
      const int64_t most = MostOf(column);
      if (ParseWholeNumber(cell, most, value)) continue;
      return ErrorAt(name_, lines.number(),
                     WholeNumberProblem(NameOf(column), cell, most));
    }
    return absl::OkStatus();
  }

  std::string NameOf(int64_t column) const {
    const int64_t first_expert = header_.columns() - header_.experts;
    if (column >= first_expert) return absl::StrCat("e", column - first_expert);
    return column == 0 ? "iteration" : column == 1 ? "layer" : "rank";
  }
  int64_t MostOf(int64_t column) const {
    if (column >= header_.columns() - header_.experts) return kMostTokens;
    return column == 0   ? kMostTraceIteration
           : column == 1 ? kMostTraceLayer
                         : kMostTraceRank;
  }

  const Header header_;
  const std::string& name_;
};

}  // namespace

absl::StatusOr<Trace> ReadTrace(const std::string& path) {
  BMOE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return ParseTrace(text, path);
}

absl::StatusOr<Trace> ParseTrace(absl::string_view text,
                                 const std::string& name) {
  TextLines lines(text);
  if (!lines.Next()) return ErrorAt(name, 1, "the file is empty");
  BMOE_ASSIGN_OR_RETURN(const Header header, ParseHeader(lines.line(), name));
  TraceBuilder builder(
      {.name = name, .num_experts = header.experts, .by_rank = header.by_rank});
  const RowParser parser(header, name);
  while (!lines.OnlyBlankLinesFollow()) {
    lines.Next();
    BMOE_RETURN_IF_ERROR(parser.Parse(lines, builder));
  }
  return builder.Build();
}

}  // namespace balancemoe
