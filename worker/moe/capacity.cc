#include "worker/moe/capacity.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace balancemoe::worker {

int64_t ExpertCapacity(double factor, int64_t choices, int64_t num_experts) {
  const double even =
      static_cast<double>(choices) / static_cast<double>(num_experts);
  // More than all choices is as good as all of them, and fits.
  const double capacity =
      std::min(std::ceil(factor * even), static_cast<double>(choices));
  return std::max<int64_t>(static_cast<int64_t>(capacity), 1);
}

int64_t DropOverCapacity(int64_t capacity, int64_t top_k,
                         absl::Span<int64_t> expert_of_choice,
                         std::vector<int64_t>& counts) {
  if (std::all_of(counts.begin(), counts.end(),
                  [&](int64_t count) { return count <= capacity; })) {
    return 0;
  }
  std::fill(counts.begin(), counts.end(), 0);
  int64_t dropped = 0;
  const auto stride = static_cast<size_t>(top_k);
  for (size_t k = 0; k < stride; ++k) {
    for (size_t i = k; i < expert_of_choice.size(); i += stride) {
      int64_t& count = counts[static_cast<size_t>(expert_of_choice[i])];
      if (count < capacity) {
        ++count;
        continue;
      }
      expert_of_choice[i] = kDropped;
      ++dropped;
    }
  }
  return dropped;
}

}  // namespace balancemoe::worker
