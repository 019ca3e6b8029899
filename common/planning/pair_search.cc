#include "common/planning/pair_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/types/span.h"
#include "common/planning/layer_timing.h"

namespace balancemoe {
namespace {

// More than rounding can add to a time or take from a bound.
constexpr int64_t kLeastGainPs = 4;

// What makes one set of lends better than another.
struct Score {
  int64_t time_ps = 0;
  size_t lends = 0;

  bool operator==(const Score&) const = default;
  // Faster, or as fast with fewer lends.
  bool Beats(const Score& other) const {
    return time_ps <= other.time_ps - kLeastGainPs ||
           (time_ps <= other.time_ps && lends < other.lends);
  }
};

int64_t Picoseconds(double time_us) {
  constexpr double kLongestUs = 1e12;
  return std::llround(std::min(time_us, kLongestUs) * 1e6);
}

// Side 0 is the first worker of the pair, side 1 the second.
template <typename T>
using BySide = std::array<T, 2>;

size_t Other(size_t side) { return 1 - side; }

bool Travels(const WorkerTokens& tokens, size_t link) {
  return tokens.in[link] > 0 || tokens.out[link] > 0;
}

// An expert that may be lent to the other side.
struct Candidate {
  Lend lend;
  size_t home = 0;
  int64_t tokens = 0;
  double compute_us = 0;
};

// Sums over the candidates from some index on.
struct Remaining {
  // How many of the candidates before it live on each side.
  BySide<size_t> before = {};
  // Tokens of each side's own candidates whose source is another worker: they
  // stop coming in when the expert leaves.
  BySide<int64_t> incoming = {};
  // Tokens that each side routes to the other's candidates: they stop going out
  // when the expert comes.
  BySide<int64_t> outgoing = {};
  // By how much fewer tokens may travel between workers when experts go to who
  // routed more to them.
  int64_t saved = 0;
};

// Depth-first branch and bound over the sets of candidates.
class PairSearch {
 public:
  PairSearch(const LayerSnapshot& snapshot, const LayerLoads& loads,
             BySide<WorkerRank> ranks, int64_t budget, PairTransfer kind)
      : loads_(loads),
        cost_(snapshot.cost),
        transfer_us_(
            snapshot.cost.link(loads.ClassBetween(ranks[0], ranks[1]))
                .TransferUs(static_cast<double>(snapshot.cost.expert_bytes))),
        host_us_(static_cast<double>(snapshot.cost.expert_bytes) *
                 snapshot.cost.host_cpu_us_per_byte),
        ranks_(ranks),
        kind_(kind),
        timer_(snapshot.cost) {
    const std::vector<int32_t> slots = UsableSlots(snapshot);
    for (const size_t side : {0, 1}) {
      slots_[side] = static_cast<size_t>(slots[ranks[side].index()]);
    }
    for (const WorkerRank rank : ranks) work_.nodes.push_back(loads.node(rank));
    FindCandidates(snapshot);
    SumRemaining();
    budget_ = candidates_.size() <= kExactPairExperts
                  ? std::numeric_limits<int64_t>::max()
                  : budget;
  }

  PairLends Run() {
    const Set none = Sums({});
    best_ = {Picoseconds(TimeUs(none)), 0};
    SearchGreedily(none);
    chosen_.clear();
    SearchFrom(0, none);
    PairLends result{.lends = {}, .exact = budget_ > 0};
    for (const size_t index : best_set_) {
      result.lends.push_back(candidates_[index].lend);
    }
    return result;
  }

 private:
  // What the bound needs of the lends chosen so far.
  struct Set {
    BySide<WorkerTokens> tokens;
    BySide<size_t> borrowed = {};
    // When each side could at the earliest have computed what it borrowed,
    // counted from the end of the dispatch.
    BySide<double> borrowed_done_us = {};

    size_t lends() const { return borrowed[0] + borrowed[1]; }
  };

  void FindCandidates(const LayerSnapshot& snapshot) {
    for (size_t i = 0; i < snapshot.home_of_expert.size(); ++i) {
      const ExpertId expert(static_cast<int32_t>(i));
      const int64_t tokens = loads_.TokensOfExpert(expert);
      if (tokens == 0) continue;
      for (const size_t home : {0, 1}) {
        if (snapshot.home_of_expert[i] != ranks_[home]) continue;
        candidates_.push_back({{expert, ranks_[home], ranks_[Other(home)]},
                               home,
                               tokens,
                               ExpertComputeUs(cost_, tokens)});
      }
    }
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.tokens > b.tokens;
                     });
  }

  void SumRemaining() {
    for (const size_t side : {0, 1}) tokens_before_[side].push_back(0);
    remaining_.resize(candidates_.size() + 1);
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const size_t home = candidates_[i].home;
      tokens_before_[home].push_back(tokens_before_[home].back() +
                                     candidates_[i].tokens);
      remaining_[i + 1].before = remaining_[i].before;
      ++remaining_[i + 1].before[home];
    }
    for (size_t i = candidates_.size(); i-- > 0;) {
      const Candidate& candidate = candidates_[i];
      const size_t home = candidate.home;
      remaining_[i].incoming = remaining_[i + 1].incoming;
      remaining_[i].outgoing = remaining_[i + 1].outgoing;
      const int64_t of_home =
          loads_.At(candidate.lend.from, candidate.lend.expert);
      const int64_t of_other =
          loads_.At(candidate.lend.to, candidate.lend.expert);
      remaining_[i].incoming[home] += candidate.tokens - of_home;
      remaining_[i].outgoing[Other(home)] += of_other;
      remaining_[i].saved =
          remaining_[i + 1].saved + std::max<int64_t>(of_other - of_home, 0);
    }
  }

  bool HasSlot(const Set& set, const Candidate& candidate) const {
    const size_t borrower = Other(candidate.home);
    return set.borrowed[borrower] < slots_[borrower];
  }

  Set With(const Set& set, const Candidate& candidate) const {
    Set larger = set;
    const size_t borrower = Other(candidate.home);
    loads_.ApplyToPair(candidate.lend.expert, candidate.lend.to,
                       larger.tokens[candidate.home], larger.tokens[borrower]);
    ++larger.borrowed[borrower];
    const double arrival_us =
        static_cast<double>(larger.borrowed[borrower]) * transfer_us_;
    larger.borrowed_done_us[borrower] =
        std::max(larger.borrowed_done_us[borrower], arrival_us) +
        candidate.compute_us;
    return larger;
  }

  // Time of the pair when `chosen_`, whose sums `set` holds, are lent.
  double TimeUs(const Set& set) {
    work_.workers.assign(
        {WorkOf(set.tokens[0], cost_), WorkOf(set.tokens[1], cost_)});
    work_.transfers.clear();
    work_.copies.clear();
    for (const size_t index : chosen_) {
      const Candidate& candidate = candidates_[index];
      work_.transfers.push_back({.from = candidate.home,
                                 .begin_copy = work_.copies.size(),
                                 .end_copy = work_.copies.size() + 1,
                                 .move = kind_ == PairTransfer::kMove});
      work_.copies.push_back({Other(candidate.home), candidate.compute_us});
    }
    timer_.Time(work_, timing_);
    return timing_.layer_us();
  }

  // Times `chosen_`; keeps it when it is the best so far.
  Score Try(const Set& set) {
    budget_ -= static_cast<int64_t>(chosen_.size());
    const Score score = {Picoseconds(TimeUs(set)), chosen_.size()};
    if (score.Beats(best_)) {
      best_ = score;
      best_set_ = chosen_;
    }
    return score;
  }

  // Adds the lend that helps most while one helps: an early good set lets the
  // search below discard most others unseen.
  void SearchGreedily(Set set) {
    while (budget_ > 0) {
      const Score before = best_;
      const std::vector<size_t> base = chosen_;
      for (size_t i = 0; i < candidates_.size() && budget_ > 0; ++i) {
        const auto place = std::lower_bound(base.begin(), base.end(), i);
        if (place != base.end() && *place == i) continue;
        if (!HasSlot(set, candidates_[i])) continue;
        chosen_ = base;
        chosen_.insert(chosen_.begin() + (place - base.begin()), i);
        Try(With(set, candidates_[i]));
      }
      if (best_ == before) return;
      chosen_ = best_set_;
      set = Sums(chosen_);
    }
  }

  Set Sums(const std::vector<size_t>& chosen) const {
    Set set;
    for (const size_t side : {0, 1}) {
      set.tokens[side] = loads_.workers()[ranks_[side].index()];
    }
    for (const size_t index : chosen) set = With(set, candidates_[index]);
    return set;
  }

  // Tries every set that adds candidates from `next` on to `chosen_`, unless
  // the bound shows that none can be better than the best.
  void SearchFrom(size_t next, const Set& set) {
    for (size_t i = next; i < candidates_.size(); ++i) {
      if (!Bound(set, i, 1).Beats(best_)) return;
      if (!HasSlot(set, candidates_[i])) continue;
      if (budget_ <= 0) return;
      --budget_;
      const Set larger = With(set, candidates_[i]);
      chosen_.push_back(i);
      // The bound of a set alone costs far less than its time.
      if (Bound(larger, candidates_.size(), 0).Beats(best_)) Try(larger);
      SearchFrom(i + 1, larger);
      chosen_.pop_back();
    }
  }

  // No set that adds `more` or more candidates from `next` on has a better
  // score.
  Score Bound(const Set& set, size_t next, size_t more) const;

  // The least that one exchange of tokens takes on the two sides together. On
  // one node a token that no longer comes in on one side does so on the other,
  // over the same class of links, unless that side routed it.
  double ExchangesBoundUs(const Set& set, size_t next,
                          const BySide<WorkerTokens>& least) const {
    double exchanges_us = 0;
    for (const size_t side : {0, 1}) {
      exchanges_us += WorkOf(least[side], cost_).exchange_us;
    }
    if (work_.nodes[0] != work_.nodes[1]) return exchanges_us;
    for (size_t link = 0; link < kLinkClasses; ++link) {
      WorkerTokens both;
      for (const size_t side : {0, 1}) {
        both.in[link] += set.tokens[side].in[link];
        both.out[link] += set.tokens[side].out[link];
      }
      both.in[link] -= remaining_[next].saved;
      both.out[link] -= remaining_[next].saved;
      double us = WorkOf(both, cost_).exchange_us;
      // Counted once there, paid by each side from which tokens must travel.
      if (us > 0 && Travels(least[0], link) && Travels(least[1], link)) {
        us += cost_.link(static_cast<LinkClass>(link)).latency_us;
      }
      exchanges_us = std::max(exchanges_us, us);
    }
    return exchanges_us;
  }

  // The least tokens that may travel to and from `side`.
  WorkerTokens LeastTravelling(const Set& set, size_t next, size_t side) const {
    const WorkerTokens& tokens = set.tokens[side];
    const Remaining& remaining = remaining_[next];
    WorkerTokens least = tokens;
    // WorkOf takes the larger of in and out; each at its least, apart.
    // What goes may go over either class of link.
    for (size_t link = 0; link < kLinkClasses; ++link) {
      least.in[link] =
          std::max<int64_t>(tokens.in[link] - remaining.incoming[side], 0);
      least.out[link] =
          std::max<int64_t>(tokens.out[link] - remaining.outgoing[side], 0);
    }
    return least;
  }

  // Compute that stays on `side` whatever is lent from `next` on: all but the
  // largest that the other side still has slots for.
  double ComputeBoundUs(const Set& set, size_t next, size_t side) const {
    const std::vector<int64_t>& before = tokens_before_[side];
    const size_t begin = remaining_[next].before[side];
    const size_t slots = slots_[Other(side)] - set.borrowed[Other(side)];
    const size_t end = std::min(begin + slots, before.size() - 1);
    return ComputeUs(set.tokens[side].staying_experts +
                         static_cast<int64_t>(set.borrowed[side]) -
                         static_cast<int64_t>(end - begin),
                     set.tokens[side].computed - (before[end] - before[begin]));
  }

  double ComputeUs(int64_t experts, int64_t tokens) const {
    return static_cast<double>(experts) * cost_.expert_launch_us +
           static_cast<double>(tokens) * cost_.us_per_token;
  }

  const LayerLoads& loads_;
  const CostModel& cost_;
  const double transfer_us_;
  // Processor time that a transfer takes from the compute of each end.
  const double host_us_;
  const BySide<WorkerRank> ranks_;
  const PairTransfer kind_;
  BySide<size_t> slots_ = {};
  // Most tokens first, then by id: the order of travel.
  std::vector<Candidate> candidates_;
  // [candidates + 1]
  std::vector<Remaining> remaining_;
  // Of each side's own candidates, tokens of the first n.
  BySide<std::vector<int64_t>> tokens_before_;

  LayerTimer timer_;
  LayerWork work_;
  LayerTiming timing_;
  // Indices of candidates, rising.
  std::vector<size_t> chosen_;
  std::vector<size_t> best_set_;
  Score best_;
  int64_t budget_ = 0;
};

Score PairSearch::Bound(const Set& set, size_t next, size_t more) const {
  // What the bound leaves out (slower compute under a transfer, waiting) only
  // adds time.
  const double host_us = static_cast<double>(set.lends() + more) * host_us_;
  // What a gradient costs on its way home; moves have none.
  const bool returns = kind_ == PairTransfer::kLend;
  const double return_host_us = returns ? host_us : 0;
  const double return_us = returns ? transfer_us_ : 0;
  double forward_us = 0;
  double backward_us = 0;
  BySide<WorkerTokens> least;
  double total_us = 0;
  for (const size_t side : {0, 1}) {
    least[side] = LeastTravelling(set, next, side);
    const double exchange_us = WorkOf(least[side], cost_).exchange_us;
    const double compute_us = ComputeBoundUs(set, next, side);
    forward_us = std::max({forward_us, 2 * exchange_us + host_us + compute_us,
                           2 * exchange_us + set.borrowed_done_us[side]});
    backward_us = std::max(
        {backward_us,
         2 * exchange_us + return_host_us + cost_.backward_factor * compute_us,
         exchange_us + static_cast<double>(set.borrowed[side]) * return_us});
    total_us += ComputeUs(set.tokens[side].staying_experts +
                              static_cast<int64_t>(set.borrowed[side]),
                          set.tokens[side].computed);
  }
  const double exchanges_us = ExchangesBoundUs(set, next, least);
  forward_us = std::max(forward_us, host_us + exchanges_us + total_us / 2);
  backward_us = std::max(backward_us, return_host_us + exchanges_us +
                                          cost_.backward_factor * total_us / 2);
  // One less, for what rounding may have added.
  return {Picoseconds(forward_us + backward_us) - 1, set.lends() + more};
}

}  // namespace

PairLends FindPairLends(const LayerSnapshot& snapshot, const LayerLoads& loads,
                        WorkerRank first, WorkerRank second, int64_t budget,
                        PairTransfer kind) {
  return PairSearch(snapshot, loads, {first, second}, budget, kind).Run();
}

}  // namespace balancemoe
