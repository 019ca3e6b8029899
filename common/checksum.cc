#include "common/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace balancemoe {

uint64_t Checksum(absl::Span<const std::byte> bytes) {
  const uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  return hash == 0 ? 1 : hash;
}

uint64_t Checksum(absl::string_view bytes) {
  return Checksum(absl::Span<const std::byte>(
      reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
}

}  // namespace balancemoe
