#ifndef BALANCEMOE_WORKER_TRANSPORT_RANK_ORDER_SUM_H_
#define BALANCEMOE_WORKER_TRANSPORT_RANK_ORDER_SUM_H_

#include <cstddef>

#include "absl/types/span.h"

namespace balancemoe::worker {

// Adds `addend` to `sum`, element by element. Every backend sums in the order
// of ranks, ((x0 + x1) + x2) + ..., which makes all-reduce give the same bits
// on every rank and with every backend. Lengths are equal.
inline void AddInto(absl::Span<float> sum, absl::Span<const float> addend) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += addend[i];
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_RANK_ORDER_SUM_H_
