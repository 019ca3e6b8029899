#include "common/io/trace_builder.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/io/input_error.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

bool SameRecord(const TraceRow& a, const TraceRow& b) {
  return a.iteration == b.iteration && a.layer == b.layer;
}

std::string Name(const TraceRow& row) {
  return absl::StrCat("iteration ", row.iteration.value(), ", layer ",
                      row.layer.value());
}

std::string RanksFromZero(int32_t num_ranks) {
  return num_ranks == 1 ? std::string("rank 0 alone")
                        : absl::StrCat("ranks 0 to ", num_ranks - 1);
}

// The run of rows of the record that begins at `begin`, past its end.
size_t EndOfRecord(absl::Span<const TraceRow> rows,
                   absl::Span<const size_t> order, size_t begin) {
  size_t end = begin + 1;
  while (end < order.size() &&
         SameRecord(rows[order[begin]], rows[order[end]])) {
    ++end;
  }
  return end;
}

}  // namespace

absl::Span<int64_t> TraceBuilder::AddRow(const TraceRow& row) {
  const auto experts = static_cast<size_t>(options_.num_experts);
  rows_.push_back(row);
  counts_.resize(counts_.size() + experts);
  return absl::MakeSpan(counts_).last(experts);
}

absl::StatusOr<Trace> TraceBuilder::Build() const {
  if (rows_.empty()) {
    return ErrorAt(options_.name, 1,
                   "no rows; a trace has one or more with counts");
  }
  const std::vector<size_t> order = RowsInOrder();
  BMOE_RETURN_IF_ERROR(CheckUnique(order));
  const int32_t num_ranks = NumRanks(order);
  BMOE_RETURN_IF_ERROR(CheckRanks(order, num_ranks));

  Trace trace;
  trace.name = options_.name;
  trace.num_experts = options_.num_experts;
  trace.num_ranks = options_.by_rank ? num_ranks : 0;
  const auto ranks = static_cast<size_t>(num_ranks);
  const auto experts = static_cast<size_t>(options_.num_experts);
  trace.records.reserve(order.size() / ranks);
  std::set<LayerId> layers;
  for (size_t begin = 0; begin < order.size(); begin += ranks) {
    const TraceRow& first = rows_[order[begin]];
    TraceRecord& record = trace.records.emplace_back(
        TraceRecord{.iteration = first.iteration,
                    .layer = first.layer,
                    .tokens = LoadMatrix(num_ranks, options_.num_experts)});
    for (size_t i = begin; i < begin + ranks; ++i) {
      const absl::Span<const int64_t> row =
          absl::MakeConstSpan(counts_).subspan(order[i] * experts, experts);
      absl::c_copy(row, record.tokens.MutableRow(rows_[order[i]].rank).begin());
    }
    layers.insert(first.layer);
  }
  trace.layers.assign(layers.begin(), layers.end());
  return trace;
}

std::vector<size_t> TraceBuilder::RowsInOrder() const {
  std::vector<size_t> order(rows_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto key = [this](size_t i) {
    const TraceRow& row = rows_[i];
    return std::make_tuple(row.iteration, row.layer, row.rank, i);
  };
  const auto before = [&key](size_t a, size_t b) { return key(a) < key(b); };
  if (!absl::c_is_sorted(order, before)) absl::c_sort(order, before);
  return order;
}

absl::Status TraceBuilder::CheckUnique(absl::Span<const size_t> order) const {
  for (size_t i = 1; i < order.size(); ++i) {
    const TraceRow& earlier = rows_[order[i - 1]];
    const TraceRow& later = rows_[order[i]];
    if (!SameRecord(earlier, later) || earlier.rank != later.rank) continue;
    const std::string rank =
        options_.by_rank ? absl::StrCat(", rank ", later.rank.value()) : "";
    return Error(later,
                 absl::StrCat(Name(later), rank, " comes again, after line ",
                              earlier.line, "; each may come once"));
  }
  return absl::OkStatus();
}

// How many rows most records have, so that one stray row is what gets blamed.
int32_t TraceBuilder::NumRanks(absl::Span<const size_t> order) const {
  std::map<size_t, int64_t> records_by_rows;
  for (size_t begin = 0; begin < order.size();) {
    const size_t end = EndOfRecord(rows_, order, begin);
    ++records_by_rows[end - begin];
    begin = end;
  }
  const auto most =
      absl::c_max_element(records_by_rows, [](const auto& a, const auto& b) {
        return std::make_pair(a.second, a.first) <
               std::make_pair(b.second, b.first);
      });
  return static_cast<int32_t>(most->first);
}

absl::Status TraceBuilder::CheckRanks(absl::Span<const size_t> order,
                                      int32_t num_ranks) const {
  if (int64_t{num_ranks} * options_.num_experts > kMostTraceCells) {
    return Error(rows_[order[0]],
                 absl::StrCat(num_ranks, " ranks of ", options_.num_experts,
                              " experts; at most ", kMostTraceCells,
                              " counts per iteration and layer"));
  }
  for (size_t begin = 0; begin < order.size();) {
    const size_t end = EndOfRecord(rows_, order, begin);
    for (size_t i = begin; i < end; ++i) {
      const TraceRow& row = rows_[order[i]];
      if (row.rank.value() < num_ranks) continue;
      return Error(row,
                   absl::StrCat("rank ", row.rank.value(), " of ", Name(row),
                                " is out of range; this trace "
                                "has ",
                                RanksFromZero(num_ranks)));
    }
    // In range and different from each other, they can only be too few.
    for (size_t i = begin; end - begin < static_cast<size_t>(num_ranks); ++i) {
      const auto expected = static_cast<int32_t>(i - begin);
      if (i < end && rows_[order[i]].rank.value() == expected) continue;
      const TraceRow& row = rows_[order[begin]];
      return Error(row,
                   absl::StrCat(Name(row), " has no row of rank ", expected,
                                "; this trace has ", RanksFromZero(num_ranks)));
    }
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status TraceBuilder::Error(const TraceRow& row,
                                 absl::string_view problem) const {
  return ErrorAt(options_.name, row.line, problem);
}

}  // namespace balancemoe
