#include "common/io/trace_conversion.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "common/io/input_error.h"
#include "common/io/trace_builder.h"
#include "common/io/whole_number.h"
#include "common/planning/layer_snapshot.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

using nlohmann::json;

// As ParseWholeNumber, and "12.0" and "1e3" too: many tools write counts so.
bool ParseCell(absl::string_view text, int64_t most, int64_t& value) {
  if (ParseWholeNumber(text, most, value)) return true;
  double number = 0;
  if (!absl::SimpleAtod(text, &number)) return false;
  if (!(number >= 0 && number <= static_cast<double>(most))) return false;
  value = static_cast<int64_t>(number);
  return static_cast<double>(value) == number;
}

// What all ways to write counts have in common: the table, and the columns that
// say where a row's counts belong.
class Conversion {
 public:
  Conversion(TableReader& reader, const TraceTable& table)
      : reader_(reader), table_(table) {}
  virtual ~Conversion() = default;

  virtual absl::StatusOr<Trace> Run() = 0;

 protected:
  bool by_rank() const { return !table_.columns.rank.empty(); }
  const TraceColumns& columns() const { return table_.columns; }
  const std::string& name() const { return table_.table.name; }
  const std::vector<std::string>& cells() const { return cells_; }
  TableReader& reader() { return reader_; }

  // Names of the columns for ReadPlace, then `counts`.
  absl::Status SelectWith(const std::vector<std::string>& counts) {
    names_ = {columns().iteration, columns().layer};
    if (by_rank()) names_.push_back(columns().rank);
    first_count_ = names_.size();
    names_.insert(names_.end(), counts.begin(), counts.end());
    return reader_.Select(names_);
  }
  absl::StatusOr<bool> NextRow() { return reader_.Next(cells_); }

  // The place of the first cell of counts.
  size_t first_count() const { return first_count_; }

  absl::StatusOr<TraceRow> ReadPlace() const {
    TraceRow row;
    row.line = reader_.line();
    BMOE_ASSIGN_OR_RETURN(const int64_t iteration,
                          Number(0, kMostTraceIteration));
    BMOE_ASSIGN_OR_RETURN(const int64_t layer, Number(1, kMostTraceLayer));
    row.iteration = Iteration(iteration);
    row.layer = LayerId(static_cast<int32_t>(layer));
    if (by_rank()) {
      BMOE_ASSIGN_OR_RETURN(const int64_t rank, Number(2, kMostTraceRank));
      row.rank = WorkerRank(static_cast<int32_t>(rank));
    }
    return row;
  }

  absl::StatusOr<int64_t> Number(size_t column, int64_t most) const {
    int64_t value = 0;
    if (ParseCell(cells_[column], most, value)) return value;
    return Error(WholeNumberProblem(names_[column], cells_[column], most));
  }

  absl::Status Error(absl::string_view problem) const {
    return ErrorAt(name(), reader_.line(), problem);
  }

  TraceBuilder MakeBuilder(size_t experts) const {
    return TraceBuilder({.name = name(),
                         .num_experts = static_cast<int32_t>(experts),
                         .by_rank = by_rank()});
  }

  absl::Status CheckExperts(size_t experts) const {
    if (experts > 0 && experts <= static_cast<size_t>(kMostTraceExperts)) {
      return absl::OkStatus();
    }
    return ErrorAt(name(), std::max(reader_.line(), int64_t{1}),
                   absl::StrCat(experts, " experts; 1 to ", kMostTraceExperts,
                                " are right"));
  }

 private:
  TableReader& reader_;
  const TraceTable& table_;
  std::vector<std::string> names_;
  std::vector<std::string> cells_;
  size_t first_count_ = 0;
};

// A column per expert.
class ColumnPerExpert final : public Conversion {
 public:
  using Conversion::Conversion;

  absl::StatusOr<Trace> Run() override {
    BMOE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          ExpertColumns());
    BMOE_RETURN_IF_ERROR(CheckExperts(names.size()));
    BMOE_RETURN_IF_ERROR(SelectWith(names));
    TraceBuilder builder = MakeBuilder(names.size());
    while (true) {
      BMOE_ASSIGN_OR_RETURN(const bool more, NextRow());
      if (!more) return builder.Build();
      BMOE_ASSIGN_OR_RETURN(const TraceRow row, ReadPlace());
      const absl::Span<int64_t> counts = builder.AddRow(row);
      for (size_t i = 0; i < counts.size(); ++i) {
        BMOE_ASSIGN_OR_RETURN(counts[i],
                              Number(first_count() + i, kMostTokens));
      }
    }
  }

 private:
  // In the order of their numbers.
  absl::StatusOr<std::vector<std::string>> ExpertColumns() {
    std::map<int64_t, std::string> name_by_number;
    for (const std::string& column : reader().columns()) {
      absl::string_view rest = column;
      int64_t number = 0;
      if (!absl::ConsumePrefix(&rest, columns().expert_prefix) ||
          !ParseWholeNumber(rest, kMostTokens, number)) {
        continue;
      }
      if (!name_by_number.emplace(number, column).second) {
        return ErrorAt(name(), 1,
                       absl::StrCat("two columns are of expert ", number));
      }
    }
    if (name_by_number.empty()) {
      return ErrorAt(
          name(), 1,
          absl::StrCat("no column is named ", Quoted(columns().expert_prefix),
                       " and a number"));
    }
    std::vector<std::string> names;
    int64_t expected = name_by_number.begin()->first;
    for (const auto& [number, column] : name_by_number) {
      if (number != expected) {
        return ErrorAt(name(), 1,
                       absl::StrCat("there is no column '",
                                    columns().expert_prefix, expected,
                                    "'; the numbers of experts follow each "
                                    "other"));
      }
      names.push_back(column);
      ++expected;
    }
    return names;
  }
};

// One column with an array of counts.
class ArrayOfCounts final : public Conversion {
 public:
  using Conversion::Conversion;

  absl::StatusOr<Trace> Run() override {
    BMOE_RETURN_IF_ERROR(SelectWith({columns().counts_array}));
    std::optional<TraceBuilder> builder;
    size_t experts = 0;
    while (true) {
      BMOE_ASSIGN_OR_RETURN(const bool more, NextRow());
      if (!more) break;
      BMOE_ASSIGN_OR_RETURN(const TraceRow row, ReadPlace());
      BMOE_ASSIGN_OR_RETURN(const std::vector<int64_t> counts, Counts());
      if (!builder.has_value()) {
        experts = counts.size();
        BMOE_RETURN_IF_ERROR(CheckExperts(experts));
        builder.emplace(MakeBuilder(experts));
      }
      if (counts.size() != experts) {
        return Error(absl::StrCat(counts.size(), " counts; the first row has ",
                                  experts));
      }
      absl::c_copy(counts, builder->AddRow(row).begin());
    }
    return builder.has_value() ? builder->Build() : MakeBuilder(1).Build();
  }

 private:
  absl::StatusOr<std::vector<int64_t>> Counts() const {
    const std::string& text = cells()[first_count()];
    const json array = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!array.is_array()) {
      return Error(absl::StrCat(columns().counts_array, " is ", Quoted(text),
                                "; an array of counts is right: [5, 0, 7]"));
    }
    std::vector<int64_t> counts;
    for (const json& element : array) {
      int64_t count = 0;
      const std::string number = element.is_number() ? element.dump() : "";
      if (!ParseCell(number, kMostTokens, count)) {
        return Error(WholeNumberProblem(
            absl::StrCat(columns().counts_array, "[", counts.size(), "]"),
            number, kMostTokens));
      }
      counts.push_back(count);
    }
    return counts;
  }
};

// A row per expert.
class RowPerExpert final : public Conversion {
 public:
  using Conversion::Conversion;

  absl::StatusOr<Trace> Run() override {
    BMOE_RETURN_IF_ERROR(SelectWith({columns().expert, columns().count}));
    while (true) {
      BMOE_ASSIGN_OR_RETURN(const bool more, NextRow());
      if (!more) break;
      BMOE_RETURN_IF_ERROR(AddCount());
    }
    if (int64_t{experts_} * static_cast<int64_t>(rows_.size()) > kMostCells) {
      return ErrorAt(name(), 1,
                     absl::StrCat(rows_.size(), " rows of ", experts_,
                                  " experts are too many; convert parts"));
    }
    TraceBuilder builder = MakeBuilder(static_cast<size_t>(experts_));
    for (const auto& [place, row] : rows_) {
      const absl::Span<int64_t> counts = builder.AddRow(row.row);
      for (const auto& [expert, count] : row.count_by_expert) {
        counts[static_cast<size_t>(expert)] = count;
      }
    }
    return builder.Build();
  }

 private:
  // Bounds what a few lines with a high expert number can make of memory.
  static constexpr int64_t kMostCells = int64_t{1} << 28;

  struct Row {
    TraceRow row;
    std::map<int64_t, int64_t> count_by_expert = {};
  };

  absl::Status AddCount() {
    BMOE_ASSIGN_OR_RETURN(const TraceRow place, ReadPlace());
    BMOE_ASSIGN_OR_RETURN(const int64_t expert,
                          Number(first_count(), kMostTraceExperts - 1));
    BMOE_ASSIGN_OR_RETURN(const int64_t count,
                          Number(first_count() + 1, kMostTokens));
    Row& row =
        rows_
            .try_emplace({place.iteration, place.layer, place.rank}, Row{place})
            .first->second;
    experts_ = std::max(experts_, expert + 1);
    if (row.count_by_expert.emplace(expert, count).second) {
      return absl::OkStatus();
    }
    return Error(absl::StrCat("iteration ", place.iteration.value(), ", layer ",
                              place.layer.value(), ", expert ", expert,
                              " comes again; each may come once",
                              by_rank() ? " per rank" : ""));
  }

  std::map<std::tuple<Iteration, LayerId, WorkerRank>, Row> rows_;
  int64_t experts_ = 1;
};

std::unique_ptr<Conversion> MakeConversion(TableReader& reader,
                                           const TraceTable& table) {
  if (!table.columns.expert_prefix.empty()) {
    return std::make_unique<ColumnPerExpert>(reader, table);
  }
  if (!table.columns.counts_array.empty()) {
    return std::make_unique<ArrayOfCounts>(reader, table);
  }
  return std::make_unique<RowPerExpert>(reader, table);
}

}  // namespace

absl::StatusOr<Trace> ConvertTrace(absl::string_view text,
                                   const TraceTable& table) {
  BMOE_ASSIGN_OR_RETURN(const std::unique_ptr<TableReader> reader,
                        TableReader::Open(text, table.table));
  return MakeConversion(*reader, table)->Run();
}

}  // namespace balancemoe
