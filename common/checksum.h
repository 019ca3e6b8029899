#ifndef BALANCEMOE_COMMON_CHECKSUM_H_
#define BALANCEMOE_COMMON_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace balancemoe {

// XXH3, 64 bits: guards transfers and plans against corruption and mix-ups, not
// against forgery. Never 0, which callers use for "nothing".
uint64_t Checksum(absl::Span<const std::byte> bytes);
uint64_t Checksum(absl::string_view bytes);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_CHECKSUM_H_
