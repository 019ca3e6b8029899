// Any bytes are a trace or an error; a trace that was read is written and read
// back to the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "common/io/compression.h"
#include "common/io/trace_reader.h"
#include "common/io/trace_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr int64_t kMostTextBytes = 1 << 20;
  const auto text = balancemoe::Decompress(
      std::string(reinterpret_cast<const char*>(bytes), size), "t",
      kMostTextBytes);
  if (!text.ok()) return 0;
  const auto trace = balancemoe::ParseTrace(*text, "t");
  if (!trace.ok()) return 0;
  const auto again =
      balancemoe::ParseTrace(balancemoe::FormatTrace(*trace), "t");
  BMOE_CHECK(again.ok() && *again == *trace);
  return 0;
}
