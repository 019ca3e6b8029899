#include "common/planning/layer_loads.h"

#include <cstddef>
namespace balancemoe {

LayerLoads::LayerLoads(const LayerSnapshot& snapshot)
    : tokens_(snapshot.tokens),
      tokens_of_expert_(snapshot.home_of_expert.size()),
      workers_(snapshot.spare_slots.size()) {
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    const WorkerRank rank(static_cast<int32_t>(worker));
    const absl::Span<const int64_t> row = tokens_.Row(rank);
    WorkerTokens& sums = workers_[worker];
    for (size_t expert = 0; expert < row.size(); ++expert) {
      tokens_of_expert_[expert] += row[expert];
      sums.routed += row[expert];
      if (snapshot.home_of_expert[expert] == rank) sums.local += row[expert];
    }
  }
  for (size_t expert = 0; expert < tokens_of_expert_.size(); ++expert) {
    WorkerTokens& home = workers_[snapshot.home_of_expert[expert].index()];
    home.computed += tokens_of_expert_[expert];
    home.staying += tokens_of_expert_[expert];
    if (tokens_of_expert_[expert] > 0) ++home.staying_experts;
  }
}

void LayerLoads::Apply(const Lend& lend, WorkerTokens& lender,
                       WorkerTokens& borrower) const {
  const int64_t tokens = TokensOfExpert(lend.expert);
  lender.local -= tokens_.At(lend.from, lend.expert);
  lender.computed -= tokens;
  lender.staying -= tokens;
  if (tokens > 0) --lender.staying_experts;
  borrower.local += tokens_.At(lend.to, lend.expert);
  borrower.computed += tokens;
}

std::vector<WorkerTokens> LayerLoads::WorkersUnder(
    absl::Span<const Lend> lends) const {
  std::vector<WorkerTokens> workers = workers_;
  for (const Lend& lend : lends) {
    Apply(lend, workers[lend.from.index()], workers[lend.to.index()]);
  }
  return workers;
}

BusiestWorker FindBusiest(absl::Span<const WorkerTokens> workers) {
  size_t busiest = 0;
  int64_t total = 0;
  for (size_t i = 0; i < workers.size(); ++i) {
    total += workers[i].computed;
    if (workers[i].computed > workers[busiest].computed) busiest = i;
  }
  BusiestWorker result = {.rank = WorkerRank(static_cast<int32_t>(busiest))};
  if (total > 0) {
    result.times_mean = static_cast<double>(workers[busiest].computed) *
                        static_cast<double>(workers.size()) /
                        static_cast<double>(total);
  }
  return result;
}

}  // namespace balancemoe
