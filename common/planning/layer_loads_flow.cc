// The part of LayerLoads that follows tokens to workers other than home.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/planning/layer_loads.h"

namespace balancemoe {
namespace {

size_t Index(LinkClass link_class) { return static_cast<size_t>(link_class); }

constexpr auto kIntra = static_cast<size_t>(LinkClass::kIntraNode);
constexpr auto kInter = static_cast<size_t>(LinkClass::kInterNode);

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

// Of one node and one expert, tokens whose sources and whose shares are there.
struct LayerLoads::NodeSum {
  int64_t left = 0;
  int64_t open = 0;
  // Running sums.
  int64_t left_before = 0;
  int64_t open_before = 0;
  bool has_share = false;

  int64_t within() const { return std::min(left, open); }
  // What leaves its source takes links of the class that leads home, so that
  // only sources with a copy change what they send.
  bool IsPlain(bool at_home) const { return within() == (at_home ? left : 0); }
};

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
  absl::InlinedVector<NodeSum, 16> sums(static_cast<size_t>(num_nodes_));
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

// By FlowOf's rule, but sources on nodes without a share, who send between
// nodes as they did before, are not looked at.
void LayerLoads::Apply(ExpertId expert, absl::Span<const ExpertShare> shares,
                       absl::Span<WorkerTokens> workers) const {
  const WorkerRank at = home(expert);
  const bool home_shares =
      std::any_of(shares.begin(), shares.end(),
                  [&](const ExpertShare& share) { return share.worker == at; });
  if (!home_shares) {
    std::vector<ExpertShare> with_home(shares.begin(), shares.end());
    with_home.push_back({at, 0});
    return Apply(expert, with_home, workers);
  }
  TakeFromHome(expert, workers[at.index()]);
  absl::InlinedVector<NodeSum, 16> sums(static_cast<size_t>(num_nodes_));
  absl::InlinedVector<int64_t, 32> own;
  for (const ExpertShare& share : shares) {
    WorkerTokens& side = workers[share.worker.index()];
    side.computed += share.tokens;
    if (share.worker == at) {
      side.staying += share.tokens;
      if (share.tokens > 0) ++side.staying_experts;
    }
    own.push_back(std::min(share.tokens, At(share.worker, expert)));
    NodeSum& sum = sums[static_cast<size_t>(node(share.worker))];
    if (!std::exchange(sum.has_share, true)) {
      sum.left = OfNode(node(share.worker), expert);
    }
    sum.left -= own.back();
    sum.open += share.tokens - own.back();
  }
  Receive(shares, own, absl::MakeSpan(sums), workers);
  Send(expert, shares, own, absl::MakeSpan(sums), workers);
}

void LayerLoads::Receive(absl::Span<const ExpertShare> shares,
                         absl::Span<const int64_t> own,
                         absl::Span<NodeSum> sums,
                         absl::Span<WorkerTokens> workers) const {
  for (size_t j = 0; j < shares.size(); ++j) {
    NodeSum& sum = sums[static_cast<size_t>(node(shares[j].worker))];
    std::array<int64_t, kLinkClasses> in = {0, shares[j].tokens - own[j]};
    TakeProportion(in, sum.open, sum.within(), sum.open_before);
    WorkerTokens& side = workers[shares[j].worker.index()];
    side.in[kIntra] += in[kIntra];
    side.in[kInter] += in[kInter];
  }
}

void LayerLoads::Send(ExpertId expert, absl::Span<const ExpertShare> shares,
                      absl::Span<const int64_t> own, absl::Span<NodeSum> sums,
                      absl::Span<WorkerTokens> workers) const {
  const WorkerRank at = home(expert);
  const auto send = [&](WorkerRank source, int64_t kept) {
    NodeSum& sum = sums[static_cast<size_t>(node(source))];
    const int64_t tokens = At(source, expert);
    std::array<int64_t, kLinkClasses> out = {0, tokens - kept};
    TakeProportion(out, sum.left, sum.within(), sum.left_before);
    if (source != at) out[Index(ClassBetween(source, at))] -= tokens;
    WorkerTokens& side = workers[source.index()];
    side.out[kIntra] += out[kIntra];
    side.out[kInter] += out[kInter];
  };
  // [W], where all sources of some node have to be looked at.
  absl::InlinedVector<int64_t, 64> kept;
  for (size_t j = 0; j < shares.size(); ++j) {
    const int32_t n = node(shares[j].worker);
    if (sums[static_cast<size_t>(n)].IsPlain(n == node(at))) {
      send(shares[j].worker, own[j]);
      continue;
    }
    kept.resize(workers.size());
    kept[shares[j].worker.index()] = own[j];
  }
  if (kept.empty()) return;
  for (int32_t n = 0; n < num_nodes_; ++n) {
    const NodeSum& sum = sums[static_cast<size_t>(n)];
    if (!sum.has_share || sum.IsPlain(n == node(at))) continue;
    for (const int32_t rank : RanksOf(n)) {
      send(WorkerRank(rank), kept[static_cast<size_t>(rank)]);
    }
  }
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
