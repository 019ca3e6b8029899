#include "worker/agent/reconnect_backoff.h"

#include <algorithm>

namespace balancemoe::worker {
namespace {

constexpr absl::Duration kShortest = absl::Milliseconds(50);
constexpr absl::Duration kLongest = absl::Seconds(2);

}  // namespace

absl::Duration ReconnectBackoff::Next() {
  const absl::Duration full = std::min(kLongest, kShortest * (1 << tries_));
  if (full < kLongest) ++tries_;
  // The generator's own bits, because distributions differ between standard
  // libraries.
  const double share = static_cast<double>(random_() >> 11) * 0x1.0p-53;
  return full * (1 - share / 2);
}

void ReconnectBackoff::Reset() { tries_ = 0; }

}  // namespace balancemoe::worker
