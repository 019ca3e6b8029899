// Any bytes are a profile or an error; a profile that was read is written and
// read back to the same.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/io/profile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto profile = balancemoe::ParseProfile(
      absl::string_view(reinterpret_cast<const char*>(bytes), size), "p");
  if (!profile.ok()) return 0;
  const auto again = balancemoe::ParseProfile(
      balancemoe::FormatProfile(*profile, "Read before."), "p");
  BMOE_CHECK(again.ok() && *again == *profile);
  return 0;
}
