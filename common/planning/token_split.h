#ifndef BALANCEMOE_COMMON_PLANNING_TOKEN_SPLIT_H_
#define BALANCEMOE_COMMON_PLANNING_TOKEN_SPLIT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Who computes which tokens of one layer: of every source worker and expert,
// how many go to each worker. Sources keep their own tokens, then those of
// their node, as far as quotas allow. Equal input gives equal splits on every
// worker, so that senders and receivers agree without a word. A value.
class TokenSplit {
 public:
  // Of a layer without experts.
  TokenSplit() = default;

  // `lends` have exact tokens, as ResolveQuotas gives them; home computes the
  // rest. No worker borrows an expert twice.
  TokenSplit(const LayerLoads& loads, absl::Span<const Lend> lends);

  int32_t num_workers() const { return num_workers_; }
  int32_t num_experts() const { return num_experts_; }

  // The parts of what `source` routed to `expert`, by worker; only parts with
  // tokens.
  absl::Span<const SourceShare> Of(ExpertId expert, WorkerRank source) const;

  bool operator==(const TokenSplit&) const = default;

 private:
  void AddExpert(const LayerLoads& loads, ExpertId expert,
                 absl::Span<const ExpertShare> shares);

  int32_t num_workers_ = 0;
  int32_t num_experts_ = 0;
  // By expert, then source, then worker.
  std::vector<SourceShare> parts_;
  // [E * W + 1], row-major: where the parts of an expert and source begin.
  std::vector<size_t> first_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_TOKEN_SPLIT_H_
