// The part of LayerLoads that follows tokens to workers other than home.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/planning/layer_loads.h"

namespace balancemoe {
namespace {

size_t Index(LinkClass link_class) { return static_cast<size_t>(link_class); }

constexpr auto kIntra = static_cast<size_t>(LinkClass::kIntraNode);
constexpr auto kInter = static_cast<size_t>(LinkClass::kInterNode);

// Of one node and one expert, tokens whose sources and whose shares are there.
struct NodeSum {
  int64_t left = 0;
  int64_t open = 0;
  // Running sums.
  int64_t left_before = 0;
  int64_t open_before = 0;

  int64_t within() const { return std::min(left, open); }
};
using NodeSums = absl::InlinedVector<NodeSum, 16>;

// Moves `part` / `whole` of the tokens from the slow class to the fast one.
// Rounds the running sums, so that all takers together take exactly `part`.
void TakeProportion(std::array<int64_t, kLinkClasses>& tokens, int64_t whole,
                    int64_t part, int64_t& before) {
  if (part == 0) return;
  if (part == whole) {
    tokens[kIntra] += std::exchange(tokens[kInter], 0);
    return;
  }
  const auto upto = [&](int64_t sum) {
    // Products of real counts fit; those of the largest allowed do not.
    constexpr int64_t kFits = int64_t{1} << 31;
    if (sum < kFits && part < kFits) return sum * part / whole;
    return static_cast<int64_t>(static_cast<__int128>(sum) * part / whole);
  };
  const int64_t after = before + tokens[kInter];
  const int64_t taken = upto(after) - upto(before);
  before = after;
  tokens[kIntra] += taken;
  tokens[kInter] -= taken;
}

}  // namespace

// How the tokens of one expert travel, worker by worker.
struct LayerLoads::Flow {
  // [W], tokens that leave their source, by the class of the link they take.
  absl::InlinedVector<std::array<int64_t, kLinkClasses>, 64> out;
  // One per share: tokens that stay with their source, and that come in.
  absl::InlinedVector<int64_t, 16> own;
  absl::InlinedVector<std::array<int64_t, kLinkClasses>, 16> in;
};

// Sources keep their own tokens. Then every node fills its shares from its
// sources, all in proportion, so that no worker has the whole of the slow
// traffic; what is left goes between nodes.
LayerLoads::Flow LayerLoads::FlowOf(
    ExpertId expert, absl::Span<const ExpertShare> shares) const {
  Flow flow;
  flow.out.resize(workers_.size(), {});
  for (size_t i = 0; i < workers_.size(); ++i) {
    flow.out[i][kInter] = At(WorkerRank(static_cast<int32_t>(i)), expert);
  }
  NodeSums sums(static_cast<size_t>(num_nodes_));
  for (const ExpertShare& share : shares) {
    int64_t& left = flow.out[share.worker.index()][kInter];
    flow.own.push_back(std::min(share.tokens, left));
    flow.in.push_back({0, share.tokens - flow.own.back()});
    left -= flow.own.back();
    sums[static_cast<size_t>(node(share.worker))].open +=
        flow.in.back()[kInter];
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    sums[static_cast<size_t>(nodes_[i])].left += flow.out[i][kInter];
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    NodeSum& sum = sums[static_cast<size_t>(nodes_[i])];
    TakeProportion(flow.out[i], sum.left, sum.within(), sum.left_before);
  }
  for (size_t j = 0; j < shares.size(); ++j) {
    NodeSum& sum = sums[static_cast<size_t>(node(shares[j].worker))];
    TakeProportion(flow.in[j], sum.open, sum.within(), sum.open_before);
  }
  return flow;
}

void LayerLoads::TakeFromHome(ExpertId expert, WorkerTokens& home_side) const {
  const WorkerRank at = home(expert);
  const int64_t tokens = TokensOfExpert(expert);
  const int64_t of_node = OfNode(node(at), expert);
  home_side.computed -= tokens;
  home_side.staying -= tokens;
  if (tokens > 0) --home_side.staying_experts;
  home_side.in[kIntra] -= of_node - At(at, expert);
  home_side.in[kInter] -= tokens - of_node;
}

// The tokens of one expert on one node that has shares of it, by FlowOf's rule.
class LayerLoads::NodeFlow {
 public:
  NodeFlow(const LayerLoads& loads, ExpertId expert, int32_t node,
           absl::Span<WorkerTokens> workers)
      : loads_(loads),
        expert_(expert),
        node_(node),
        at_home_(node == loads.node(loads.home(expert))),
        workers_(workers) {
    sum_.left = loads.OfNode(node, expert);
  }

  void AddShare(const ExpertShare& share) {
    const int64_t own =
        std::min(share.tokens, loads_.At(share.worker, expert_));
    holders_.push_back({share.worker, own, share.tokens - own});
    sum_.left -= own;
    sum_.open += share.tokens - own;
  }

  void Apply() {
    NodeSum sum = sum_;
    for (const Holder& holder : holders_) {
      std::array<int64_t, kLinkClasses> in = {0, holder.open};
      TakeProportion(in, sum.open, sum.within(), sum.open_before);
      WorkerTokens& side = workers_[holder.worker.index()];
      side.in[kIntra] += in[kIntra];
      side.in[kInter] += in[kInter];
    }
    // Whose tokens take links of the same class as to home is as before.
    if (sum.within() == (at_home_ ? sum.left : 0)) {
      for (const Holder& holder : holders_) Send(holder.worker, holder.own);
      return;
    }
    const absl::Span<const int32_t> ranks = loads_.RanksOf(node_);
    absl::InlinedVector<int64_t, 16> own(ranks.size());
    for (const Holder& holder : holders_) {
      own[static_cast<size_t>(
          std::lower_bound(ranks.begin(), ranks.end(), holder.worker.value()) -
          ranks.begin())] = holder.own;
    }
    for (size_t i = 0; i < ranks.size(); ++i)
      Send(WorkerRank(ranks[i]), own[i]);
  }

 private:
  struct Holder {
    WorkerRank worker;
    // Tokens that stay with their source, and that come in.
    int64_t own = 0;
    int64_t open = 0;
  };

  // To be called in the order of ranks, unless all or none stay on the node.
  void Send(WorkerRank source, int64_t own) {
    const int64_t tokens = loads_.At(source, expert_);
    std::array<int64_t, kLinkClasses> out = {0, tokens - own};
    TakeProportion(out, sum_.left, sum_.within(), sum_.left_before);
    if (source != loads_.home(expert_))
      out[at_home_ ? kIntra : kInter] -= tokens;
    WorkerTokens& side = workers_[source.index()];
    side.out[kIntra] += out[kIntra];
    side.out[kInter] += out[kInter];
  }

  const LayerLoads& loads_;
  const ExpertId expert_;
  const int32_t node_;
  const bool at_home_;
  const absl::Span<WorkerTokens> workers_;
  NodeSum sum_;
  absl::InlinedVector<Holder, 8> holders_;
};

// Sources on nodes without a share send between nodes, as they did before.
void LayerLoads::Apply(ExpertId expert, absl::Span<const ExpertShare> shares,
                       absl::Span<WorkerTokens> workers) const {
  TakeFromHome(expert, workers[home(expert).index()]);
  absl::InlinedVector<NodeFlow, 4> flows;
  constexpr size_t kNone = std::numeric_limits<size_t>::max();
  absl::InlinedVector<size_t, 16> flow_of_node(static_cast<size_t>(num_nodes_),
                                               kNone);
  const auto add = [&](const ExpertShare& share) {
    size_t& flow = flow_of_node[static_cast<size_t>(node(share.worker))];
    if (flow == kNone) {
      flow = flows.size();
      flows.emplace_back(*this, expert, node(share.worker), workers);
    }
    flows[flow].AddShare(share);
  };
  bool home_shares = false;
  for (const ExpertShare& share : shares) {
    WorkerTokens& side = workers[share.worker.index()];
    side.computed += share.tokens;
    add(share);
    if (share.worker != home(expert)) continue;
    home_shares = true;
    side.staying += share.tokens;
    if (share.tokens > 0) ++side.staying_experts;
  }
  if (!home_shares) add({home(expert), 0});
  for (NodeFlow& flow : flows) flow.Apply();
}

std::vector<SourceShare> LayerLoads::AssignSources(
    ExpertId expert, absl::Span<const ExpertShare> shares) const {
  Flow flow = FlowOf(expert, shares);
  std::vector<SourceShare> parts;
  for (size_t j = 0; j < shares.size(); ++j) {
    if (flow.own[j] == 0) continue;
    parts.push_back({shares[j].worker, shares[j].worker, flow.own[j]});
  }
  for (const size_t link : {kIntra, kInter}) {
    for (size_t i = 0; i < flow.out.size(); ++i) {
      const WorkerRank source(static_cast<int32_t>(i));
      for (size_t j = 0; j < shares.size() && flow.out[i][link] > 0; ++j) {
        if (Index(ClassBetween(source, shares[j].worker)) != link) continue;
        const int64_t tokens = std::min(flow.out[i][link], flow.in[j][link]);
        if (tokens == 0) continue;
        parts.push_back({source, shares[j].worker, tokens});
        flow.out[i][link] -= tokens;
        flow.in[j][link] -= tokens;
      }
    }
  }
  std::sort(parts.begin(), parts.end(),
            [](const SourceShare& a, const SourceShare& b) {
              return std::pair(a.source, a.worker) <
                     std::pair(b.source, b.worker);
            });
  return parts;
}

}  // namespace balancemoe
