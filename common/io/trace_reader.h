#ifndef BALANCEMOE_COMMON_IO_TRACE_READER_H_
#define BALANCEMOE_COMMON_IO_TRACE_READER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/replay/trace.h"

namespace balancemoe {

// Reads a trace in the canonical format, plain, gzip or zstd:
//
//   iteration,layer[,rank],e0,e1,...
//
// Rows may come in any order. `rank` is the source of the tokens; without it a
// row is the sum over all sources.
//
// Errors:
//   NotFound         the file cannot be read.
//   InvalidArgument  "FILE:LINE: what is wrong; what would be right": another
//                    header, a row with more or fewer columns, a count that is
//                    negative, over kMostTokens or no whole number, a rank that
//                    is out of range or missing, the same iteration and layer
//                    (and rank) twice, no rows, an empty or broken file.
absl::StatusOr<Trace> ReadTrace(const std::string& path);

// The same for text in memory; `name` is the file's in messages.
absl::StatusOr<Trace> ParseTrace(absl::string_view text,
                                 const std::string& name);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TRACE_READER_H_
