// Any bytes are a table that becomes a trace, or an error. The first byte
// chooses the format and how counts are written.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/io/trace_conversion.h"
#include "common/io/trace_reader.h"
#include "common/io/trace_writer.h"

namespace {

balancemoe::TraceTable TableFor(uint8_t choice) {
  balancemoe::TraceTable table;
  table.table.name = "t";
  if (choice / 3 % 2 == 1) {
    table.table.format = balancemoe::TableFormat::kJsonLines;
  }
  if (choice % 3 == 0) {
    table.columns.expert_prefix = "e";
  } else if (choice % 3 == 1) {
    table.columns.counts_array = "counts";
  } else {
    table.columns.expert = "expert";
    table.columns.count = "count";
    table.columns.rank = "rank";
  }
  return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  // A few sparse rows may make many counts; reading those back takes its time.
  constexpr size_t kMostCounts = 1 << 16;
  if (size == 0) return 0;
  const auto trace = balancemoe::ConvertTrace(
      absl::string_view(reinterpret_cast<const char*>(bytes) + 1, size - 1),
      TableFor(bytes[0]));
  if (!trace.ok()) return 0;
  if (trace->records.size() * trace->num_experts > kMostCounts) return 0;
  const auto again =
      balancemoe::ParseTrace(balancemoe::FormatTrace(*trace), "t");
  BMOE_CHECK(again.ok() && *again == *trace);
  return 0;
}
