#include "common/planning/quota_split.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace balancemoe {
namespace {

constexpr size_t kNobody = std::numeric_limits<size_t>::max();
constexpr int kSweeps = 6;
// Fewer rows than this go through another path of the matrix library, slower
// and with other bits; and hardly any load is lighter for them.
constexpr int64_t kCrumb = 16;

// A load that counts as no worse than `peak`.
int64_t Tolerated(int64_t peak) { return peak + peak / 4096; }

// Groups are small, and mostly in order from the sweep before.
void SortFewOrMany(std::vector<std::pair<int64_t, size_t>>& order) {
  constexpr size_t kFew = 32;
  if (order.size() > kFew) {
    std::sort(order.begin(), order.end());
    return;
  }
  for (size_t i = 1; i < order.size(); ++i) {
    const auto moved = order[i];
    size_t at = i;
    for (; at > 0 && order[at - 1] > moved; --at) order[at] = order[at - 1];
    order[at] = moved;
  }
}

}  // namespace

void QuotaSplitter::Split(const LayerLoads& loads,
                          absl::Span<const Replica> replicas,
                          std::vector<int64_t>& tokens) {
  tokens.resize(replicas.size());
  Collect(loads, replicas);
  IndexHolders();
  Balance();
  LowerPeak();
  const int64_t limit = peak();
  balanced_.clear();
  for (const Holder& holder : holders_) balanced_.push_back(holder.quota);
  PreferOwn(loads);
  ShedExcess(limit);
  if (peak() > limit) {
    for (size_t i = 0; i < holders_.size(); ++i) {
      Give(i, balanced_[i] - holders_[i].quota);
    }
  }
  DropCrumbs(Tolerated(limit));
  size_t next = 0;
  for (const Group& group : groups_) {
    for (size_t i = group.begin + 1; i < group.end; ++i) {
      tokens[next++] = holders_[i].quota;
    }
  }
}

int64_t QuotaSplitter::peak() const {
  return *std::max_element(load_.begin(), load_.end());
}

// Far more than splits need, but for contrived ones; a bound on the work where
// each round looks at thousands of workers.
size_t QuotaSplitter::MostRounds() const {
  constexpr size_t kWork = 2'000'000;
  return std::min(16 * load_.size(),
                  16 + kWork / (load_.size() + holders_.size()));
}

void QuotaSplitter::Give(size_t holder, int64_t tokens) {
  holders_[holder].quota += tokens;
  load_[holders_[holder].worker] += tokens;
}

void QuotaSplitter::Collect(const LayerLoads& loads,
                            absl::Span<const Replica> replicas) {
  groups_.clear();
  holders_.clear();
  load_.clear();
  for (const WorkerTokens& worker : loads.workers()) {
    load_.push_back(worker.computed);
  }
  for (size_t i = 0; i < replicas.size();) {
    const ExpertId expert = replicas[i].expert;
    Group group = {.expert = expert,
                   .begin = holders_.size(),
                   .tokens = loads.TokensOfExpert(expert)};
    const WorkerRank home = loads.home(expert);
    load_[home.index()] -= group.tokens;
    holders_.push_back(
        {home.index(), groups_.size(), 0, loads.At(home, expert)});
    for (; i < replicas.size() && replicas[i].expert == expert; ++i) {
      const WorkerRank worker = replicas[i].worker;
      holders_.push_back(
          {worker.index(), groups_.size(), 0, loads.At(worker, expert)});
    }
    group.end = holders_.size();
    groups_.push_back(group);
  }
}

void QuotaSplitter::IndexHolders() {
  first_of_worker_.assign(load_.size() + 1, 0);
  for (const Holder& holder : holders_) ++first_of_worker_[holder.worker + 1];
  for (size_t i = 0; i < load_.size(); ++i) {
    first_of_worker_[i + 1] += first_of_worker_[i];
  }
  by_worker_.resize(holders_.size());
  queue_.assign(first_of_worker_.begin(), first_of_worker_.end());
  for (size_t i = 0; i < holders_.size(); ++i) {
    by_worker_[queue_[holders_[i].worker]++] = i;
  }
}

// Pours the group's tokens over its holders as water, up to one level.
void QuotaSplitter::BalanceGroup(const Group& group) {
  for (size_t i = group.begin; i < group.end; ++i) Give(i, -holders_[i].quota);
  order_.clear();
  for (size_t i = group.begin; i < group.end; ++i) {
    order_.emplace_back(load_[holders_[i].worker], i);
  }
  SortFewOrMany(order_);
  int64_t left = group.tokens;
  for (const auto& [load, i] : order_) left += load;
  // The highest hold nothing while they stand above the level.
  size_t under = order_.size();
  while (under > 1 &&
         order_[under - 1].first * static_cast<int64_t>(under) >= left) {
    left -= order_[--under].first;
  }
  const int64_t level = left / static_cast<int64_t>(under);
  int64_t rest = left % static_cast<int64_t>(under);
  for (size_t i = 0; i < under; ++i) {
    Give(order_[i].second, level + (rest-- > 0 ? 1 : 0) - order_[i].first);
  }
}

void QuotaSplitter::Balance() {
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    int64_t before = 0;
    if (sweep > 0) before = peak();
    for (const Group& group : groups_) BalanceGroup(group);
    if (sweep > 0 && peak() >= before) return;
    if (groups_.size() < 2) return;
  }
}

// Takes tokens from worker `from` to the least loaded one that a chain of
// holders leads to, if that has fewer than `limit`: `evenly`, or only what is
// over the limit. False when there is none.
bool QuotaSplitter::Improve(size_t from, int64_t limit, bool evenly) {
  const int64_t least = *std::min_element(load_.begin(), load_.end());
  ++search_;
  reached_by_.resize(load_.size());
  expanded_.resize(groups_.size());
  queue_.assign(1, from);
  size_t best = kNobody;
  for (size_t next = 0; next < queue_.size(); ++next) {
    // The first of the least loaded is the best there is.
    if (best != kNobody && load_[best] == least) break;
    const size_t worker = queue_[next];
    for (size_t i = first_of_worker_[worker]; i < first_of_worker_[worker + 1];
         ++i) {
      const Holder& giver = holders_[by_worker_[i]];
      if (giver.quota == 0 || expanded_[giver.group] == search_) continue;
      expanded_[giver.group] = search_;
      const Group& group = groups_[giver.group];
      for (size_t j = group.begin; j < group.end; ++j) {
        const size_t taker = holders_[j].worker;
        if (taker == from || reached_by_[taker].search == search_) continue;
        reached_by_[taker] = {by_worker_[i], j, search_};
        queue_.push_back(taker);
        if (best == kNobody || load_[taker] < load_[best]) best = taker;
      }
    }
  }
  if (best == kNobody || load_[best] >= limit) return false;
  int64_t tokens = evenly ? (load_[from] - load_[best]) / 2
                          : std::min(load_[from] - limit, limit - load_[best]);
  for (size_t at = best; at != from;) {
    const size_t giver = reached_by_[at].giver;
    tokens = std::min(tokens, holders_[giver].quota);
    at = holders_[giver].worker;
  }
  for (size_t at = best; at != from;) {
    const Reached& reached = reached_by_[at];
    Give(reached.giver, -tokens);
    Give(reached.taker, tokens);
    at = holders_[reached.giver].worker;
  }
  return true;
}

// Sweeps come near the best split; this proves it, or finds the rest of the
// way: tokens of the busiest worker that can reach nobody less loaded, within
// the tolerance, cannot be split better.
void QuotaSplitter::LowerPeak() {
  if (groups_.empty()) return;
  const int64_t total = std::accumulate(load_.begin(), load_.end(), int64_t{0});
  const auto workers = static_cast<int64_t>(load_.size());
  if (peak() <= Tolerated((total + workers - 1) / workers)) return;
  for (size_t left = MostRounds(); left > 0; --left) {
    const auto busiest = static_cast<size_t>(
        std::max_element(load_.begin(), load_.end()) - load_.begin());
    const int64_t tolerance = std::max<int64_t>(load_[busiest] / 2048, 1);
    if (!Improve(busiest, load_[busiest] - tolerance, true)) return;
  }
}

// Starts over with every holder computing what comes from its own worker, and
// what comes from others on its node.
void QuotaSplitter::PreferOwn(const LayerLoads& loads) {
  for (size_t i = 0; i < holders_.size(); ++i) {
    Give(i, holders_[i].own - holders_[i].quota);
  }
  for (const Group& group : groups_) FillWithin(loads, group);
}

// Gives the tokens whose sources hold no copy to the least loaded holder of
// their node, or of all where the node has none.
void QuotaSplitter::FillWithin(const LayerLoads& loads, const Group& group) {
  part_of_node_.resize(static_cast<size_t>(loads.num_nodes()), kNobody);
  parts_.clear();
  int64_t elsewhere = group.tokens;
  for (size_t i = group.begin; i < group.end; ++i) {
    const int32_t node =
        loads.node(WorkerRank(static_cast<int32_t>(holders_[i].worker)));
    size_t& part = part_of_node_[static_cast<size_t>(node)];
    if (part == kNobody) {
      part = parts_.size();
      parts_.push_back({.node = node, .least_loaded = i});
    }
    parts_[part].own += holders_[i].own;
    parts_[part].least_loaded = LessLoaded(parts_[part].least_loaded, i);
    elsewhere -= holders_[i].own;
  }
  for (const NodePart& part : parts_) {
    const int64_t rest = loads.OfNode(part.node, group.expert) - part.own;
    Give(part.least_loaded, rest);
    elsewhere -= rest;
    part_of_node_[static_cast<size_t>(part.node)] = kNobody;
  }
  if (elsewhere == 0) return;
  size_t best = group.begin;
  for (size_t i = group.begin; i < group.end; ++i) best = LessLoaded(best, i);
  Give(best, elsewhere);
}

// The holder whose worker has less; the first of two equals.
size_t QuotaSplitter::LessLoaded(size_t a, size_t b) const {
  return load_[holders_[b].worker] < load_[holders_[a].worker] ? b : a;
}

void QuotaSplitter::ShedExcess(int64_t limit) {
  for (size_t worker = 0; worker < load_.size(); ++worker) {
    if (load_[worker] <= limit) continue;
    // First what comes from elsewhere.
    ShedDirectly(worker, limit, /*own=*/false);
    ShedDirectly(worker, limit, /*own=*/true);
  }
  for (size_t left = MostRounds(); left > 0; --left) {
    const auto busiest = static_cast<size_t>(
        std::max_element(load_.begin(), load_.end()) - load_.begin());
    if (load_[busiest] <= limit || !Improve(busiest, limit, false)) return;
  }
}

// Gives what is over the limit to other holders of the same experts.
void QuotaSplitter::ShedDirectly(size_t worker, int64_t limit, bool own) {
  for (size_t i = first_of_worker_[worker]; i < first_of_worker_[worker + 1];
       ++i) {
    const size_t giver = by_worker_[i];
    const Group& group = groups_[holders_[giver].group];
    for (size_t j = group.begin; j < group.end; ++j) {
      const int64_t excess = load_[worker] - limit;
      if (excess <= 0) return;
      const Holder& from = holders_[giver];
      const int64_t movable =
          own ? from.quota : std::max<int64_t>(from.quota - from.own, 0);
      const int64_t tokens =
          std::min({excess, movable, limit - load_[holders_[j].worker]});
      if (j == giver || tokens <= 0) continue;
      Give(giver, -tokens);
      Give(j, tokens);
    }
  }
}

// A few tokens are not worth a gradient's way home: others take them as long as
// that does not raise the peak.
void QuotaSplitter::DropCrumbs(int64_t limit) {
  for (const Group& group : groups_) {
    for (size_t i = group.begin + 1; i < group.end; ++i) {
      const int64_t crumb = holders_[i].quota;
      if (crumb == 0 || crumb >= kCrumb) continue;
      for (size_t j = group.begin; j < group.end; ++j) {
        if (j == i || load_[holders_[j].worker] + crumb > limit) continue;
        Give(i, -crumb);
        Give(j, crumb);
        break;
      }
    }
  }
}

}  // namespace balancemoe
