#include "common/planning/token_split.h"

#include <algorithm>
#include <utility>

namespace balancemoe {
namespace {

// The lends of each expert, [E]. They need not stand together: top-ups follow
// the planned lends.
std::vector<std::vector<ExpertShare>> BorrowersOf(absl::Span<const Lend> lends,
                                                  size_t num_experts) {
  std::vector<std::vector<ExpertShare>> borrowers(num_experts);
  for (const Lend& lend : lends) {
    if (lend.tokens == 0) continue;
    borrowers[lend.expert.index()].push_back({lend.to, lend.tokens});
  }
  return borrowers;
}

}  // namespace

TokenSplit::TokenSplit(const LayerLoads& loads, absl::Span<const Lend> lends)
    : num_workers_(loads.num_workers()), num_experts_(loads.num_experts()) {
  first_.reserve(static_cast<size_t>(num_experts_) *
                     static_cast<size_t>(num_workers_) +
                 1);
  first_.push_back(0);
  std::vector<std::vector<ExpertShare>> shares =
      BorrowersOf(lends, static_cast<size_t>(num_experts_));
  for (int32_t e = 0; e < num_experts_; ++e) {
    const ExpertId expert(e);
    int64_t at_home = loads.TokensOfExpert(expert);
    for (const ExpertShare& lent : shares[expert.index()]) {
      at_home -= lent.tokens;
    }
    if (at_home > 0) {
      shares[expert.index()].push_back({loads.home(expert), at_home});
    }
    AddExpert(loads, expert, shares[expert.index()]);
  }
}

void TokenSplit::AddExpert(const LayerLoads& loads, ExpertId expert,
                           absl::Span<const ExpertShare> shares) {
  const std::vector<SourceShare> parts = loads.AssignSources(expert, shares);
  auto next = parts.begin();
  for (int32_t source = 0; source < num_workers_; ++source) {
    for (; next != parts.end() && next->source == WorkerRank(source); ++next) {
      parts_.push_back(*next);
    }
    first_.push_back(parts_.size());
  }
}

absl::Span<const SourceShare> TokenSplit::Of(ExpertId expert,
                                             WorkerRank source) const {
  const size_t at =
      expert.index() * static_cast<size_t>(num_workers_) + source.index();
  return absl::MakeConstSpan(parts_).subspan(first_[at],
                                             first_[at + 1] - first_[at]);
}

}  // namespace balancemoe
