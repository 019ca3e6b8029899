#ifndef BALANCEMOE_WORKER_TRAIN_SHA256_H_
#define BALANCEMOE_WORKER_TRAIN_SHA256_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/types/span.h"

namespace balancemoe::worker {

using Sha256Digest = std::array<std::byte, 32>;

Sha256Digest Sha256(absl::Span<const std::byte> bytes);

// Lower-case hexadecimal, 64 characters.
std::string ToHex(const Sha256Digest& digest);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_SHA256_H_
