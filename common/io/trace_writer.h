#ifndef BALANCEMOE_COMMON_IO_TRACE_WRITER_H_
#define BALANCEMOE_COMMON_IO_TRACE_WRITER_H_

#include <string>

#include "absl/status/status.h"
#include "common/replay/trace.h"

namespace balancemoe {

// The trace in the canonical format, as ParseTrace reads it.
std::string FormatTrace(const Trace& trace);

// Writes it to a file; .gz and .zst at the end of its name compress it.
//
// Errors: PermissionDenied when the file cannot be written.
absl::Status WriteTrace(const Trace& trace, const std::string& path);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TRACE_WRITER_H_
