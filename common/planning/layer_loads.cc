#include "common/planning/layer_loads.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace balancemoe {
namespace {

size_t Index(LinkClass link_class) { return static_cast<size_t>(link_class); }

constexpr auto kIntra = static_cast<size_t>(LinkClass::kIntraNode);
constexpr auto kInter = static_cast<size_t>(LinkClass::kInterNode);

std::vector<int32_t> NodesOrOne(absl::Span<const int32_t> node_of_worker,
                                size_t num_workers) {
  if (node_of_worker.empty()) return std::vector<int32_t>(num_workers);
  return {node_of_worker.begin(), node_of_worker.end()};
}

}  // namespace

LayerLoads::LayerLoads(const LoadMatrix& tokens,
                       absl::Span<const WorkerRank> home_of_expert,
                       absl::Span<const int32_t> node_of_worker)
    : tokens_(&tokens),
      homes_(home_of_expert.begin(), home_of_expert.end()),
      nodes_(NodesOrOne(node_of_worker,
                        static_cast<size_t>(tokens.num_workers()))),
      tokens_of_expert_(home_of_expert.size()),
      workers_(static_cast<size_t>(tokens.num_workers())) {
  SumNodes();
  SumWorkers();
}

LayerLoads::LayerLoads(absl::Span<const int64_t> tokens_of_expert,
                       int32_t num_workers,
                       absl::Span<const WorkerRank> home_of_expert,
                       absl::Span<const int32_t> node_of_worker)
    : homes_(home_of_expert.begin(), home_of_expert.end()),
      nodes_(NodesOrOne(node_of_worker, static_cast<size_t>(num_workers))),
      tokens_of_expert_(tokens_of_expert.begin(), tokens_of_expert.end()),
      workers_(static_cast<size_t>(num_workers)) {
  SumNodes();
  SumWorkers();
}

void LayerLoads::SumNodes() {
  num_nodes_ = 1 + *std::max_element(nodes_.begin(), nodes_.end());
  const size_t experts = tokens_of_expert_.size();
  tokens_of_node_.resize(static_cast<size_t>(num_nodes_) * experts);
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    int64_t* sums =
        &tokens_of_node_[static_cast<size_t>(nodes_[worker]) * experts];
    const WorkerRank rank(static_cast<int32_t>(worker));
    if (tokens_ != nullptr) {
      const absl::Span<const int64_t> row = tokens_->Row(rank);
      for (size_t e = 0; e < experts; ++e) sums[e] += row[e];
      continue;
    }
    for (size_t e = 0; e < experts; ++e) {
      sums[e] += At(rank, ExpertId(static_cast<int32_t>(e)));
    }
  }
  if (tokens_ != nullptr) {
    for (size_t i = 0; i < tokens_of_node_.size(); ++i) {
      tokens_of_expert_[i % experts] += tokens_of_node_[i];
    }
  }
  for (const int64_t tokens : tokens_of_expert_) total_tokens_ += tokens;
}

void LayerLoads::SumWorkers() {
  const size_t experts = tokens_of_expert_.size();
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    WorkerTokens& sums = workers_[worker];
    const WorkerRank rank(static_cast<int32_t>(worker));
    for (size_t e = 0; e < experts; ++e) {
      const ExpertId expert(static_cast<int32_t>(e));
      if (homes_[e] == rank) continue;
      sums.out[Index(ClassBetween(rank, homes_[e]))] += At(rank, expert);
    }
  }
  for (size_t e = 0; e < experts; ++e) {
    const ExpertId expert(static_cast<int32_t>(e));
    WorkerTokens& home = workers_[homes_[e].index()];
    home.computed += tokens_of_expert_[e];
    home.staying += tokens_of_expert_[e];
    if (tokens_of_expert_[e] > 0) ++home.staying_experts;
    const int64_t of_node = OfNode(node(homes_[e]), expert);
    home.in[kIntra] += of_node - At(homes_[e], expert);
    home.in[kInter] += tokens_of_expert_[e] - of_node;
  }
}

void LayerLoads::TakeFromHome(ExpertId expert,
                              absl::Span<WorkerTokens> workers) const {
  const WorkerRank at = home(expert);
  WorkerTokens& home_side = workers[at.index()];
  const int64_t tokens = TokensOfExpert(expert);
  const int64_t of_node = OfNode(node(at), expert);
  home_side.computed -= tokens;
  home_side.staying -= tokens;
  if (tokens > 0) --home_side.staying_experts;
  home_side.in[kIntra] -= of_node - At(at, expert);
  home_side.in[kInter] -= tokens - of_node;
  for (size_t i = 0; i < workers.size(); ++i) {
    const WorkerRank source(static_cast<int32_t>(i));
    if (source == at) continue;
    workers[i].out[Index(ClassBetween(source, at))] -= At(source, expert);
  }
}

template <typename Visit>
void LayerLoads::VisitSources(ExpertId expert,
                              absl::Span<const ExpertShare> shares,
                              const Visit& visit) const {
  // What each source has left to give, and each share to take.
  absl::InlinedVector<int64_t, 64> left(workers_.size());
  for (size_t i = 0; i < left.size(); ++i) {
    left[i] = At(WorkerRank(static_cast<int32_t>(i)), expert);
  }
  absl::InlinedVector<ExpertShare, 16> open;
  for (const ExpertShare& share : shares) {
    const int64_t own = std::min(share.tokens, left[share.worker.index()]);
    if (own > 0) visit(share.worker, share.worker, own);
    left[share.worker.index()] -= own;
    if (share.tokens > own) open.push_back({share.worker, share.tokens - own});
  }
  // First round: within nodes. Second: whatever is left to whoever is open.
  for (const bool anywhere : {false, true}) {
    for (size_t i = 0; i < left.size(); ++i) {
      const WorkerRank source(static_cast<int32_t>(i));
      for (size_t j = 0; left[i] > 0 && j < open.size(); ++j) {
        if (open[j].tokens == 0) continue;
        if (!anywhere && node(open[j].worker) != nodes_[i]) continue;
        const int64_t tokens = std::min(left[i], open[j].tokens);
        visit(source, open[j].worker, tokens);
        left[i] -= tokens;
        open[j].tokens -= tokens;
      }
    }
  }
}

void LayerLoads::Apply(ExpertId expert, absl::Span<const ExpertShare> shares,
                       absl::Span<WorkerTokens> workers) const {
  TakeFromHome(expert, workers);
  for (const ExpertShare& share : shares) {
    WorkerTokens& side = workers[share.worker.index()];
    side.computed += share.tokens;
    if (share.worker != home(expert)) continue;
    side.staying += share.tokens;
    if (share.tokens > 0) ++side.staying_experts;
  }
  VisitSources(expert, shares,
               [&](WorkerRank source, WorkerRank worker, int64_t tokens) {
                 if (source == worker) return;
                 const size_t link = Index(ClassBetween(source, worker));
                 workers[source.index()].out[link] += tokens;
                 workers[worker.index()].in[link] += tokens;
               });
}

std::vector<SourceShare> LayerLoads::AssignSources(
    ExpertId expert, absl::Span<const ExpertShare> shares) const {
  std::vector<SourceShare> parts;
  VisitSources(expert, shares,
               [&](WorkerRank source, WorkerRank worker, int64_t tokens) {
                 parts.push_back({source, worker, tokens});
               });
  std::sort(parts.begin(), parts.end(),
            [](const SourceShare& a, const SourceShare& b) {
              return std::pair(a.source, a.worker) <
                     std::pair(b.source, b.worker);
            });
  return parts;
}

void LayerLoads::ApplyToPair(ExpertId expert, WorkerRank borrower,
                             WorkerTokens& home_side,
                             WorkerTokens& borrower_side) const {
  const WorkerRank at = home(expert);
  const int64_t tokens = TokensOfExpert(expert);
  const int64_t at_home = At(at, expert);
  const int64_t at_borrower = At(borrower, expert);
  const int64_t near_home = OfNode(node(at), expert);
  const int64_t near_borrower = OfNode(node(borrower), expert);
  const size_t link = Index(ClassBetween(at, borrower));
  home_side.computed -= tokens;
  home_side.staying -= tokens;
  if (tokens > 0) --home_side.staying_experts;
  home_side.in[kIntra] -= near_home - at_home;
  home_side.in[kInter] -= tokens - near_home;
  home_side.out[link] += at_home;
  borrower_side.computed += tokens;
  borrower_side.in[kIntra] += near_borrower - at_borrower;
  borrower_side.in[kInter] += tokens - near_borrower;
  borrower_side.out[link] -= at_borrower;
}

LayerLoads KnownLoads(const LayerSnapshot& snapshot) {
  if (snapshot.tokens.num_workers() > 0) {
    return LayerLoads(snapshot.tokens, snapshot.home_of_expert,
                      snapshot.node_of_worker);
  }
  return LayerLoads(snapshot.history.back().tokens_of_expert,
                    snapshot.num_workers(), snapshot.home_of_expert,
                    snapshot.node_of_worker);
}

BusiestWorker FindBusiest(absl::Span<const WorkerTokens> workers) {
  size_t busiest = 0;
  int64_t total = 0;
  for (size_t i = 0; i < workers.size(); ++i) {
    total += workers[i].computed;
    if (workers[i].computed > workers[busiest].computed) busiest = i;
  }
  BusiestWorker result = {.rank = WorkerRank(static_cast<int32_t>(busiest)),
                          .tokens = workers[busiest].computed};
  if (total > 0) {
    result.times_mean = static_cast<double>(result.tokens) *
                        static_cast<double>(workers.size()) /
                        static_cast<double>(total);
  }
  return result;
}

}  // namespace balancemoe
