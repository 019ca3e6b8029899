#include "common/planning/load_order.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace balancemoe {
namespace {

template <typename Id, typename LoadOf>
std::vector<Id> MostFirst(size_t count, const LoadOf& load_of) {
  std::vector<Id> ids;
  for (size_t i = 0; i < count; ++i) ids.emplace_back(static_cast<int32_t>(i));
  std::stable_sort(ids.begin(), ids.end(), [&](Id a, Id b) {
    return load_of(a.index()) > load_of(b.index());
  });
  return ids;
}

}  // namespace

std::vector<ExpertId> ExpertsByLoad(
    absl::Span<const int64_t> tokens_of_expert) {
  return MostFirst<ExpertId>(tokens_of_expert.size(),
                             [&](size_t i) { return tokens_of_expert[i]; });
}

std::vector<WorkerRank> WorkersByLoad(absl::Span<const WorkerTokens> workers) {
  return MostFirst<WorkerRank>(workers.size(),
                               [&](size_t i) { return workers[i].computed; });
}

void SortByExpert(std::vector<Lend>& lends) {
  std::sort(lends.begin(), lends.end(), [](const Lend& a, const Lend& b) {
    return std::pair(a.expert, a.to) < std::pair(b.expert, b.to);
  });
}

}  // namespace balancemoe
