#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_LOADS_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_LOADS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// The tokens of one layer that a worker has to do with.
struct WorkerTokens {
  // It is their source.
  int64_t routed = 0;
  // Of those, the ones that it computes itself: they never travel.
  int64_t local = 0;
  // It computes them, for experts at home and borrowed ones.
  int64_t computed = 0;
  // Of those, the ones of experts at home.
  int64_t staying = 0;
  // Experts at home that it computes and that have tokens.
  int64_t staying_experts = 0;

  bool operator==(const WorkerTokens&) const = default;
};

// The sums of a snapshot's loads that timing needs, so that a set of lends
// costs a few additions instead of a pass over the [W, E] matrix. Constant
// after construction; thread-safe.
class LayerLoads {
 public:
  // Takes time in W * E. `snapshot` must be valid and outlive this.
  explicit LayerLoads(const LayerSnapshot& snapshot);

  int64_t TokensOfExpert(ExpertId expert) const {
    return tokens_of_expert_[expert.index()];
  }
  // Every expert at home.
  const std::vector<WorkerTokens>& workers() const { return workers_; }
  // [E]
  const std::vector<int64_t>& tokens_of_expert() const {
    return tokens_of_expert_;
  }

  // Moves the expert's tokens from the lender's count to the borrower's.
  void Apply(const Lend& lend, WorkerTokens& lender,
             WorkerTokens& borrower) const;
  // [W] under `lends`.
  std::vector<WorkerTokens> WorkersUnder(absl::Span<const Lend> lends) const;

 private:
  const LoadMatrix& tokens_;
  std::vector<int64_t> tokens_of_expert_;
  std::vector<WorkerTokens> workers_;
};

// The worker with the most tokens to compute, the lowest rank among equals.
struct BusiestWorker {
  WorkerRank rank;
  // Its tokens over the mean of all workers; 1 when there are no tokens at all.
  double times_mean = 1;
};

// `workers` must not be empty.
BusiestWorker FindBusiest(absl::Span<const WorkerTokens> workers);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_LOADS_H_
