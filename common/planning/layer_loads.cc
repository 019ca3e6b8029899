#include "common/planning/layer_loads.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

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
  IndexNodes();
  SumMatrix();
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
  IndexNodes();
  SumEven();
  SumWorkers();
}

LayerLoads LayerLoads::WithHomes(
    absl::Span<const WorkerRank> home_of_expert) const {
  LayerLoads moved = *this;
  moved.homes_.assign(home_of_expert.begin(), home_of_expert.end());
  moved.workers_.assign(workers_.size(), {});
  moved.SumWorkers();
  return moved;
}

void LayerLoads::IndexNodes() {
  num_nodes_ = 1 + *std::max_element(nodes_.begin(), nodes_.end());
  first_of_node_.assign(static_cast<size_t>(num_nodes_) + 1, 0);
  for (const int32_t node : nodes_) {
    ++first_of_node_[static_cast<size_t>(node) + 1];
  }
  std::partial_sum(first_of_node_.begin(), first_of_node_.end(),
                   first_of_node_.begin());
  std::vector<size_t> next = first_of_node_;
  ranks_by_node_.resize(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    ranks_by_node_[next[static_cast<size_t>(nodes_[i])]++] =
        static_cast<int32_t>(i);
  }
}

absl::Span<const int32_t> LayerLoads::RanksOf(int32_t node) const {
  const size_t begin = first_of_node_[static_cast<size_t>(node)];
  return absl::MakeConstSpan(ranks_by_node_)
      .subspan(begin, first_of_node_[static_cast<size_t>(node) + 1] - begin);
}

int64_t LayerLoads::EvenOfNode(int32_t node, const EvenShare& even) const {
  const absl::Span<const int32_t> ranks = RanksOf(node);
  return even.each * static_cast<int64_t>(ranks.size()) +
         (std::lower_bound(ranks.begin(), ranks.end(), even.one_more) -
          ranks.begin());
}

void LayerLoads::SumMatrix() {
  const size_t experts = tokens_of_expert_.size();
  tokens_of_node_.resize(static_cast<size_t>(num_nodes_) * experts);
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    int64_t* sums =
        &tokens_of_node_[static_cast<size_t>(nodes_[worker]) * experts];
    const int64_t* row =
        tokens_->Row(WorkerRank(static_cast<int32_t>(worker))).data();
    int64_t sent = 0;
    for (size_t e = 0; e < experts; ++e) {
      sums[e] += row[e];
      sent += row[e];
    }
    sent_.push_back(sent);
    total_tokens_ += sent;
  }
  for (size_t node = 0; node < static_cast<size_t>(num_nodes_); ++node) {
    const int64_t* sums = &tokens_of_node_[node * experts];
    for (size_t e = 0; e < experts; ++e) tokens_of_expert_[e] += sums[e];
  }
}

// The same sums in closed form: a layer of 1,024 workers and experts has a
// million pairs.
void LayerLoads::SumEven() {
  const auto workers = static_cast<int64_t>(workers_.size());
  int64_t each = 0;
  std::vector<int64_t> last_with_one_more(workers_.size() + 1);
  for (const int64_t tokens : tokens_of_expert_) {
    even_.push_back({tokens / workers, tokens % workers});
    each += even_.back().each;
    ++last_with_one_more[static_cast<size_t>(even_.back().one_more)];
    total_tokens_ += tokens;
  }
  sent_.resize(workers_.size());
  int64_t one_more = 0;
  for (size_t i = sent_.size(); i-- > 0;) {
    one_more += last_with_one_more[i + 1];
    sent_[i] = each + one_more;
  }
}

// [W]: tokens of each source for experts that live on its node, its own too.
std::vector<int64_t> LayerLoads::TokensForOwnNode() const {
  if (num_nodes_ == 1) return sent_;
  std::vector<std::vector<ExpertId>> experts_of_node(
      static_cast<size_t>(num_nodes_));
  for (size_t e = 0; e < homes_.size(); ++e) {
    experts_of_node[static_cast<size_t>(node(homes_[e]))].emplace_back(
        static_cast<int32_t>(e));
  }
  std::vector<int64_t> near(workers_.size());
  for (int32_t n = 0; n < num_nodes_; ++n) {
    const auto& experts = experts_of_node[static_cast<size_t>(n)];
    for (const int32_t rank : RanksOf(n)) {
      int64_t& sum = near[static_cast<size_t>(rank)];
      for (const ExpertId expert : experts) sum += At(WorkerRank(rank), expert);
    }
  }
  return near;
}

void LayerLoads::SumWorkers() {
  const std::vector<int64_t> near = TokensForOwnNode();
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i].out = {near[i], sent_[i] - near[i]};
  }
  for (size_t e = 0; e < homes_.size(); ++e) {
    const ExpertId expert(static_cast<int32_t>(e));
    WorkerTokens& home = workers_[homes_[e].index()];
    home.computed += tokens_of_expert_[e];
    home.staying += tokens_of_expert_[e];
    if (tokens_of_expert_[e] > 0) ++home.staying_experts;
    const int64_t of_node = OfNode(node(homes_[e]), expert);
    const int64_t own = At(homes_[e], expert);
    home.out[kIntra] -= own;
    home.in[kIntra] += of_node - own;
    home.in[kInter] += tokens_of_expert_[e] - of_node;
  }
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
