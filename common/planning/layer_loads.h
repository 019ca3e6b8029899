#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_LOADS_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_LOADS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/load_matrix.h"

namespace balancemoe {

// The tokens of one layer that a worker has to do with.
struct WorkerTokens {
  // It computes them, for experts at home and borrowed ones.
  int64_t computed = 0;
  // Of those, the ones of experts at home.
  int64_t staying = 0;
  // Experts at home that it computes tokens of.
  int64_t staying_experts = 0;
  // Tokens of its own that others compute, and of others that it computes, by
  // the class of the link between the two.
  std::array<int64_t, kLinkClasses> out = {};
  std::array<int64_t, kLinkClasses> in = {};

  bool operator==(const WorkerTokens&) const = default;
};

// A worker's part of one expert's tokens.
struct ExpertShare {
  WorkerRank worker;
  int64_t tokens = 0;

  bool operator==(const ExpertShare&) const = default;
};

// Tokens of one expert that go from their source to the worker that computes
// them, who may be the same.
struct SourceShare {
  WorkerRank source;
  WorkerRank worker;
  int64_t tokens = 0;

  bool operator==(const SourceShare&) const = default;
};

// The loads of one layer and the sums of them that planning needs, so that an
// expert whose tokens are computed elsewhere costs a few additions per worker
// instead of a pass over the [W, E] matrix. Constant after construction;
// thread-safe.
class LayerLoads {
 public:
  // From exact counts, [W, E]. Takes time in W * E. `node_of_worker` may be
  // empty: all on one node. `tokens` must outlive this.
  LayerLoads(const LoadMatrix& tokens,
             absl::Span<const WorkerRank> home_of_expert,
             absl::Span<const int32_t> node_of_worker);

  // From sums over sources, [E], spread evenly over `num_workers`; a remainder
  // goes to the lowest ranks.
  LayerLoads(absl::Span<const int64_t> tokens_of_expert, int32_t num_workers,
             absl::Span<const WorkerRank> home_of_expert,
             absl::Span<const int32_t> node_of_worker);

  // The same loads with experts at other homes. What this refers to must
  // outlive the result.
  LayerLoads WithHomes(absl::Span<const WorkerRank> home_of_expert) const;

  int32_t num_workers() const { return static_cast<int32_t>(workers_.size()); }
  int32_t num_experts() const {
    return static_cast<int32_t>(tokens_of_expert_.size());
  }
  int64_t total_tokens() const { return total_tokens_; }
  int64_t TokensOfExpert(ExpertId expert) const {
    return tokens_of_expert_[expert.index()];
  }
  // [E]
  const std::vector<int64_t>& tokens_of_expert() const {
    return tokens_of_expert_;
  }
  // Tokens that `source` routed to `expert`.
  int64_t At(WorkerRank source, ExpertId expert) const {
    if (tokens_ != nullptr) return tokens_->At(source, expert);
    const EvenShare& even = even_[expert.index()];
    return even.each + (source.value() < even.one_more ? 1 : 0);
  }
  // Tokens that the workers of `node` routed to `expert`.
  int64_t OfNode(int32_t node, ExpertId expert) const {
    if (tokens_ == nullptr) return EvenOfNode(node, even_[expert.index()]);
    return tokens_of_node_[static_cast<size_t>(node) *
                               tokens_of_expert_.size() +
                           expert.index()];
  }
  WorkerRank home(ExpertId expert) const { return homes_[expert.index()]; }
  int32_t num_nodes() const { return num_nodes_; }
  int32_t node(WorkerRank worker) const { return nodes_[worker.index()]; }
  // [W]
  const std::vector<int32_t>& nodes() const { return nodes_; }
  LinkClass ClassBetween(WorkerRank a, WorkerRank b) const {
    return node(a) == node(b) ? LinkClass::kIntraNode : LinkClass::kInterNode;
  }

  // Every expert at home, [W].
  const std::vector<WorkerTokens>& workers() const { return workers_; }

  // Gives the expert's tokens, which `workers` has at home, to `shares`; their
  // sum must be the expert's tokens, no worker may stand twice. Sources keep
  // their own tokens, then those of their node, as far as shares allow.
  void Apply(ExpertId expert, absl::Span<const ExpertShare> shares,
             absl::Span<WorkerTokens> workers) const;

  // The same for the whole expert at `borrower`, but only the entries of these
  // two workers are brought up to date.
  void ApplyToPair(ExpertId expert, WorkerRank borrower,
                   WorkerTokens& home_side, WorkerTokens& borrower_side) const;

  // Who computes which source's tokens of an expert: what Apply assumes,
  // spelled out. By source, then worker; only shares with tokens.
  std::vector<SourceShare> AssignSources(
      ExpertId expert, absl::Span<const ExpertShare> shares) const;

 private:
  // Of an expert whose tokens are spread evenly: what each worker has, and how
  // many, from rank 0 on, have one more.
  struct EvenShare {
    int64_t each = 0;
    int64_t one_more = 0;
  };
  struct Flow;
  struct NodeSum;

  void IndexNodes();
  absl::Span<const int32_t> RanksOf(int32_t node) const;
  int64_t EvenOfNode(int32_t node, const EvenShare& even) const;
  void SumMatrix();
  void SumEven();
  void SumWorkers();
  std::vector<int64_t> TokensForOwnNode() const;
  void TakeFromHome(ExpertId expert, WorkerTokens& home_side) const;
  void Receive(absl::Span<const ExpertShare> shares,
               absl::Span<const int64_t> own, absl::Span<NodeSum> sums,
               absl::Span<WorkerTokens> workers) const;
  void Send(ExpertId expert, absl::Span<const ExpertShare> shares,
            absl::Span<const int64_t> own, absl::Span<NodeSum> sums,
            absl::Span<WorkerTokens> workers) const;
  Flow FlowOf(ExpertId expert, absl::Span<const ExpertShare> shares) const;

  const LoadMatrix* tokens_ = nullptr;
  std::vector<WorkerRank> homes_;
  std::vector<int32_t> nodes_;
  int32_t num_nodes_ = 1;
  // Ranks by node, rising: those of node n at first_of_node_[n] and on.
  std::vector<size_t> first_of_node_;
  std::vector<int32_t> ranks_by_node_;
  int64_t total_tokens_ = 0;
  std::vector<int64_t> tokens_of_expert_;
  // [E], without a matrix.
  std::vector<EvenShare> even_;
  // [N, E], with a matrix.
  std::vector<int64_t> tokens_of_node_;
  // [W], tokens of each source.
  std::vector<int64_t> sent_;
  std::vector<WorkerTokens> workers_;
};

// The exact counts of the snapshot, or, where it has none, its latest history.
// `snapshot` must be valid and outlive the result.
LayerLoads KnownLoads(const LayerSnapshot& snapshot);

// The worker with the most tokens to compute, the lowest rank among equals.
struct BusiestWorker {
  WorkerRank rank;
  int64_t tokens = 0;
  // Its tokens over the mean of all workers; 1 when there are no tokens at all.
  double times_mean = 1;
};

// `workers` must not be empty.
BusiestWorker FindBusiest(absl::Span<const WorkerTokens> workers);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_LOADS_H_
