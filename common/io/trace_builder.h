#ifndef BALANCEMOE_COMMON_IO_TRACE_BUILDER_H_
#define BALANCEMOE_COMMON_IO_TRACE_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/replay/trace.h"

namespace balancemoe {

// Bounds of what traces hold, so that sums of counts never overflow.
inline constexpr int64_t kMostTraceExperts = int64_t{1} << 14;
inline constexpr int64_t kMostTraceCells = int64_t{1} << 22;
inline constexpr int64_t kMostTraceIteration = int64_t{1} << 53;
inline constexpr int64_t kMostTraceLayer = int64_t{1} << 20;
inline constexpr int64_t kMostTraceRank = int64_t{1} << 20;

// Where a row's counts belong and which line of the file said so.
struct TraceRow {
  Iteration iteration;
  LayerId layer;
  // 0 in a trace without ranks.
  WorkerRank rank;
  int64_t line = 0;
};

// Puts the rows of a file, in any order, together to a trace.
class TraceBuilder {
 public:
  struct Options {
    // The file's, for the trace and for messages.
    std::string name;
    int32_t num_experts = 0;
    // Whether each row is one source rank's, or the sum over all.
    bool by_rank = false;
  };

  explicit TraceBuilder(const Options& options) : options_(options) {}

  // The row's counts, [E], all 0, to be filled in before the next call.
  absl::Span<int64_t> AddRow(const TraceRow& row);

  // Errors, InvalidArgument as "FILE:LINE: what is wrong; what would be right":
  // no rows at all, the same iteration and layer (and rank) twice, a rank that
  // is missing or out of range, or records over kMostTraceCells.
  absl::StatusOr<Trace> Build() const;

 private:
  std::vector<size_t> RowsInOrder() const;
  absl::Status CheckUnique(absl::Span<const size_t> order) const;
  int32_t NumRanks(absl::Span<const size_t> order) const;
  absl::Status CheckRanks(absl::Span<const size_t> order,
                          int32_t num_ranks) const;
  absl::Status Error(const TraceRow& row, absl::string_view problem) const;

  const Options options_;
  std::vector<TraceRow> rows_;
  // [rows, E]
  std::vector<int64_t> counts_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TRACE_BUILDER_H_
