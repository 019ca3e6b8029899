#include "common/planning/replica_search.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace balancemoe {
namespace {

// Times the mean load, above which workers export. High ones make few copies:
// what pays where links are slow.
constexpr double kThresholds[] = {1.0, 1.03, 1.08, 1.2, 1.4,
                                  1.7, 2.2,  3.0,  4.5, 7.0};
constexpr double kRepairThresholds[] = {1.0, 1.08, 1.4};
constexpr double kExportAfterSpread = 1.03;
constexpr size_t kHottest = 8;
constexpr int kMostPasses = 4;
// A pass that gains less than this was the last.
constexpr double kLeastGain = 1e-4;
// Replicas with fewer tokens than this part of the mean load may be dropped one
// by one.
constexpr double kLight = 0.25;

constexpr double kNever = std::numeric_limits<double>::infinity();

std::vector<ExpertId> HottestExperts(const LayerLoads& loads) {
  std::vector<ExpertId> experts;
  for (int32_t e = 0; e < loads.num_experts(); ++e) experts.emplace_back(e);
  const auto count =
      static_cast<std::ptrdiff_t>(std::min(kHottest, experts.size()));
  std::partial_sort(experts.begin(), experts.begin() + count, experts.end(),
                    [&](ExpertId a, ExpertId b) {
                      return std::pair(-loads.TokensOfExpert(a), a) <
                             std::pair(-loads.TokensOfExpert(b), b);
                    });
  experts.resize(static_cast<size_t>(count));
  return experts;
}

}  // namespace

ReplicaSearch::ReplicaSearch(const LayerLoads& loads, const CostModel& cost,
                             absl::Span<const int32_t> slots,
                             absl::Span<const Replica> in_place,
                             const Options& options)
    : loads_(loads),
      slots_(slots.begin(), slots.end()),
      in_place_(in_place.begin(), in_place.end()),
      options_(options),
      mean_tokens_(static_cast<double>(loads.total_tokens()) /
                   static_cast<double>(loads.num_workers())),
      timer_(loads, cost),
      exporter_(loads),
      left_(options.budget) {
  for (int32_t w = 0; w < loads.num_workers(); ++w) {
    num_nodes_ = std::max(num_nodes_, loads.node(WorkerRank(w)) + 1);
  }
}

double ReplicaSearch::Price(absl::Span<const Replica> set) const {
  double fresh = 0;
  for (const Replica& replica : set) {
    if (!std::binary_search(in_place_.begin(), in_place_.end(), replica)) {
      ++fresh;
    }
  }
  return 1 + options_.price_per_copy * fresh;
}

double ReplicaSearch::Time(absl::Span<const Replica> set, double give_up_us) {
  return options_.late ? timer_.TimeUs({}, set, give_up_us)
                       : timer_.TimeUs(set, {}, give_up_us);
}

bool ReplicaSearch::Consider(absl::Span<const Replica> set) {
  if (left_ <= 0) return false;
  left_ -= loads_.num_workers() + loads_.num_experts() +
           static_cast<int64_t>(set.size());
  const double price = Price(set);
  return Keep(set, Time(set, best_priced_us_ / price), price);
}

// Of the set last timed.
bool ReplicaSearch::Keep(absl::Span<const Replica> set, double time_us,
                         double price) {
  if (time_us * price >= best_priced_us_) return false;
  best_priced_us_ = time_us * price;
  best_us_ = time_us;
  best_.assign(set.begin(), set.end());
  best_tokens_ = timer_.tokens();
  best_lends_ = timer_.lends();
  return true;
}

std::vector<int32_t> ReplicaSearch::FreeSlots(
    absl::Span<const Replica> set) const {
  std::vector<int32_t> free = slots_;
  for (const Replica& replica : set) --free[replica.worker.index()];
  return free;
}

std::vector<Replica> ReplicaSearch::SpreadOver(absl::Span<const Replica> base,
                                               ExpertId expert,
                                               Scope scope) const {
  const std::vector<int32_t> free = FreeSlots(base);
  const WorkerRank home = loads_.home(expert);
  std::vector<Replica> set(base.begin(), base.end());
  std::vector<bool> reached(static_cast<size_t>(num_nodes_));
  reached[static_cast<size_t>(loads_.node(home))] = true;
  for (const Replica& replica : base) {
    if (replica.expert != expert) continue;
    reached[static_cast<size_t>(loads_.node(replica.worker))] = true;
  }
  for (int32_t w = 0; w < loads_.num_workers(); ++w) {
    const WorkerRank worker(w);
    const Replica replica = {expert, worker};
    if (worker == home || free[worker.index()] <= 0 ||
        std::binary_search(base.begin(), base.end(), replica)) {
      continue;
    }
    const int32_t node = loads_.node(worker);
    if (scope == Scope::kOwnNode && node != loads_.node(home)) continue;
    if (scope == Scope::kOnePerNode && reached[static_cast<size_t>(node)]) {
      continue;
    }
    reached[static_cast<size_t>(node)] = true;
    set.push_back(replica);
  }
  std::sort(set.begin(), set.end());
  return set;
}

void ReplicaSearch::Spread(ExpertId expert, Scope scope) {
  const std::vector<Replica> set = SpreadOver(best_, expert, scope);
  if (set.size() > best_.size()) Consider(set);
}

// Copies of the hottest experts, one more at a time, on top of nothing. Single
// steps from another set may lead nowhere: the layer waits for the worker with
// the most traffic, and several of them have to go at once.
void ReplicaSearch::SpreadHottest(Scope scope) {
  std::vector<Replica> base;
  for (const ExpertId expert : hottest_) {
    const size_t before = base.size();
    base = SpreadOver(base, expert, scope);
    if (base.size() == before || left_ <= 0) return;
    Consider(base);
    Time(base, kNever);
    const std::vector<int64_t> tokens = timer_.tokens();
    ExportFrom(base, tokens, kExportAfterSpread, true);
  }
}

void ReplicaSearch::Withdraw(ExpertId expert) {
  set_.clear();
  std::copy_if(
      best_.begin(), best_.end(), std::back_inserter(set_),
      [&](const Replica& replica) { return replica.expert != expert; });
  if (set_.size() < best_.size()) Consider(set_);
}

// False when there was nothing to export.
bool ReplicaSearch::ExportFrom(absl::Span<const Replica> base,
                               absl::Span<const int64_t> tokens,
                               double times_mean, bool near_first) {
  exporter_.Export({base, tokens, FreeSlots(base)},
                   static_cast<int64_t>(times_mean * mean_tokens_) + 1,
                   near_first, added_);
  if (added_.empty()) return false;
  std::vector<Replica> set;
  std::merge(base.begin(), base.end(), added_.begin(), added_.end(),
             std::back_inserter(set));
  // Neighbouring thresholds often lead to the same.
  if (set == set_) return true;
  set_ = std::move(set);
  Consider(set_);
  return true;
}

void ReplicaSearch::ExportRest(absl::Span<const double> thresholds) {
  const std::vector<Replica> base = best_;
  const std::vector<int64_t> tokens = best_tokens_;
  for (const bool near_first : {true, false}) {
    if (near_first && num_nodes_ == 1) continue;
    for (const double times_mean : thresholds) {
      if (!ExportFrom(base, tokens, times_mean, near_first)) break;
    }
  }
}

void ReplicaSearch::DropLight() {
  for (size_t i = 0; i < best_.size() && left_ > 0;) {
    const auto tokens = static_cast<double>(best_tokens_[i]);
    if (tokens > kLight * mean_tokens_) {
      ++i;
      continue;
    }
    set_ = best_;
    set_.erase(set_.begin() + static_cast<std::ptrdiff_t>(i));
    if (!Consider(set_)) ++i;
  }
}

void ReplicaSearch::Look() {
  best_us_ = best_priced_us_ = kNever;
  without_us_ = in_place_us_ = Time({}, kNever);
  Keep({}, without_us_, 1);
  if (in_place_.empty()) return;
  in_place_us_ = Time(in_place_, kNever);
  Keep(in_place_, in_place_us_, 1);
}

void ReplicaSearch::Repair() { ExportRest(kRepairThresholds); }

void ReplicaSearch::Run() {
  hottest_ = HottestExperts(loads_);
  ExportRest(kThresholds);
  SpreadHottest(Scope::kEverywhere);
  if (num_nodes_ > 1) SpreadHottest(Scope::kOwnNode);
  for (int pass = 0; pass < kMostPasses && left_ > 0; ++pass) {
    const double before_us = best_priced_us_;
    for (const ExpertId expert : hottest_) {
      Spread(expert, Scope::kEverywhere);
      if (num_nodes_ > 1) {
        Spread(expert, Scope::kOwnNode);
        Spread(expert, Scope::kOnePerNode);
      }
      Withdraw(expert);
    }
    ExportRest(kThresholds);
    DropLight();
    if (best_priced_us_ > before_us * (1 - kLeastGain)) return;
  }
}

}  // namespace balancemoe
