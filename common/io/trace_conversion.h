#ifndef BALANCEMOE_COMMON_IO_TRACE_CONVERSION_H_
#define BALANCEMOE_COMMON_IO_TRACE_CONVERSION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/io/table_reader.h"
#include "common/replay/trace.h"

namespace balancemoe {

// Where a table has what a trace needs: names of columns, or of fields in JSON
// lines.
struct TraceColumns {
  std::string iteration = "iteration";
  std::string layer = "layer";
  // Empty: rows are sums over all sources.
  std::string rank = {};

  // Exactly one of these three says where the counts are.
  //
  // A column per expert: this prefix and a number. The numbers follow each
  // other, from 0 or any other; the lowest becomes e0.
  std::string expert_prefix = {};
  // One column with an array of all experts' counts: "[5, 0, 7]".
  std::string counts_array = {};
  // A row per expert: its number and its count. Experts without a row have 0.
  std::string expert = {};
  std::string count = {};
};

struct TraceTable {
  // name, format, separator
  TableReader::Options table;
  TraceColumns columns;
};

// Makes a trace of a table. Counts may be written as floating point ("12.0") if
// they are whole.
//
// Errors: InvalidArgument as "FILE:LINE: what is wrong; what would be right",
// as ParseTrace, and for columns that do not exist.
absl::StatusOr<Trace> ConvertTrace(absl::string_view text,
                                   const TraceTable& table);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TRACE_CONVERSION_H_
