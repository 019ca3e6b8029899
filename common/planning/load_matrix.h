#ifndef BALANCEMOE_COMMON_PLANNING_LOAD_MATRIX_H_
#define BALANCEMOE_COMMON_PLANNING_LOAD_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"

namespace balancemoe {

// Tokens that each worker routed to each expert of one layer in one iteration,
// [W, E], row-major.
class LoadMatrix {
 public:
  LoadMatrix() = default;
  LoadMatrix(int32_t num_workers, int32_t num_experts)
      : num_workers_(num_workers),
        num_experts_(num_experts),
        tokens_(static_cast<size_t>(num_workers) *
                static_cast<size_t>(num_experts)) {}

  int32_t num_workers() const { return num_workers_; }
  int32_t num_experts() const { return num_experts_; }

  int64_t At(WorkerRank source, ExpertId expert) const {
    return Row(source)[expert.index()];
  }
  absl::Span<const int64_t> Row(WorkerRank source) const {
    return absl::MakeConstSpan(tokens_).subspan(
        source.index() * static_cast<size_t>(num_experts_),
        static_cast<size_t>(num_experts_));
  }
  absl::Span<int64_t> MutableRow(WorkerRank source) {
    return absl::MakeSpan(tokens_).subspan(
        source.index() * static_cast<size_t>(num_experts_),
        static_cast<size_t>(num_experts_));
  }
  // All rows, [W * E].
  absl::Span<int64_t> MutableAll() { return absl::MakeSpan(tokens_); }

  // Tokens routed to `expert` by all workers together.
  int64_t TokensOfExpert(ExpertId expert) const {
    int64_t sum = 0;
    for (size_t i = expert.index(); i < tokens_.size();
         i += static_cast<size_t>(num_experts_)) {
      sum += tokens_[i];
    }
    return sum;
  }

  bool operator==(const LoadMatrix&) const = default;

 private:
  int32_t num_workers_ = 0;
  int32_t num_experts_ = 0;
  std::vector<int64_t> tokens_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LOAD_MATRIX_H_
