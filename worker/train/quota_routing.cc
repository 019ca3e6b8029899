#include "worker/train/quota_routing.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/planning/layer_snapshot.h"
#include "common/status_macros.h"
#include "worker/train/seeded_random.h"

namespace balancemoe::worker {
namespace {

// Shares are fractions of all assignments; sums of them are off by rounding.
constexpr double kRounding = 1e-9;

absl::Status ValidateImbalance(const QuotaSpec& spec, int64_t hot_experts) {
  const double most = std::min<double>(spec.workers, hot_experts);
  if (spec.imbalance < 1 || spec.imbalance > most + kRounding) {
    return absl::InvalidArgumentError(
        absl::StrCat("--imbalance: ", spec.imbalance, " is not between 1 and ",
                     most, ", the smaller of ", spec.workers, " workers and ",
                     hot_experts, " experts per worker"));
  }
  return absl::OkStatus();
}

// Fractions of all assignments that the experts of worker 0 get.
absl::StatusOr<std::vector<double>> HotShares(const QuotaSpec& spec,
                                              size_t hot_experts) {
  double harmonic = 0;
  for (size_t i = 1; i <= hot_experts; ++i) {
    harmonic += 1.0 / static_cast<double>(i);
  }
  const double cap = std::min(1.0 / spec.workers, 1.0 / spec.top_k);
  const double total = spec.imbalance / spec.workers;
  std::vector<double> shares(hot_experts);
  double excess = 0;
  for (size_t i = 0; i < hot_experts; ++i) {
    const double wanted =
        total / (harmonic * static_cast<double>(i + 1)) + excess;
    shares[i] = std::min(wanted, cap);
    excess = wanted - shares[i];
  }
  if (excess > kRounding) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--imbalance: ", spec.imbalance, " is more than ",
        cap * spec.workers * static_cast<double>(hot_experts), ", all that ",
        hot_experts, " experts of a worker can get with --top-k ", spec.top_k));
  }
  return shares;
}

absl::StatusOr<std::vector<double>> Shares(const QuotaSpec& spec) {
  const std::vector<WorkerRank> homes =
      ContiguousPlacement(spec.workers, spec.experts);
  std::vector<int64_t> experts_of_worker(static_cast<size_t>(spec.workers));
  for (const WorkerRank home : homes) ++experts_of_worker[home.index()];
  BMOE_RETURN_IF_ERROR(ValidateImbalance(spec, experts_of_worker[0]));

  if (spec.imbalance == 1) {
    return std::vector<double>(homes.size(), 1.0 / spec.experts);
  }
  BMOE_ASSIGN_OR_RETURN(
      std::vector<double> shares,
      HotShares(spec, static_cast<size_t>(experts_of_worker[0])));
  const double rest = (1 - spec.imbalance / spec.workers) / (spec.workers - 1);
  for (size_t e = shares.size(); e < homes.size(); ++e) {
    shares.push_back(rest /
                     static_cast<double>(experts_of_worker[homes[e].index()]));
  }
  return shares;
}

// `exact` as whole numbers that add up to `total`: rounded down, and one more
// to those with the largest remainders, lower experts first. None is more than
// `most`, nor any of `exact`; they add up to `total` but for rounding.
std::vector<int64_t> RoundByLargestRemainder(const std::vector<double>& exact,
                                             int64_t total, int64_t most) {
  std::vector<int64_t> counts(exact.size());
  // (remainder, expert): the largest remainders come first, then lower experts.
  std::vector<std::pair<double, size_t>> remainders;
  for (size_t e = 0; e < exact.size(); ++e) {
    counts[e] = static_cast<int64_t>(std::floor(exact[e] + kRounding));
    remainders.emplace_back(static_cast<double>(counts[e]) - exact[e], e);
  }
  std::sort(remainders.begin(), remainders.end());
  int64_t missing =
      total - std::accumulate(counts.begin(), counts.end(), int64_t{0});
  for (size_t i = 0; missing > 0; i = (i + 1) % remainders.size()) {
    int64_t& count = counts[remainders[i].second];
    if (count == most) continue;
    ++count;
    --missing;
  }
  return counts;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> QuotaCounts(const QuotaSpec& spec) {
  BMOE_ASSIGN_OR_RETURN(const std::vector<double> shares, Shares(spec));
  const int64_t total = spec.tokens * spec.top_k;
  std::vector<double> exact;
  for (const double share : shares) {
    exact.push_back(std::min(share * static_cast<double>(total),
                             static_cast<double>(spec.tokens)));
  }
  return RoundByLargestRemainder(exact, total, spec.tokens);
}

std::vector<int64_t> QuotaAssignment(const std::vector<int64_t>& counts,
                                     int32_t top_k, uint64_t seed) {
  const int64_t total =
      std::accumulate(counts.begin(), counts.end(), int64_t{0});
  BMOE_CHECK(total % top_k == 0);
  const int64_t tokens = total / top_k;
  // The experts in one line, each as often as it is wanted. A token takes the
  // places p, p + tokens, p + 2 * tokens, ...; an expert fills at most `tokens`
  // neighbouring places, so no token meets it twice.
  std::vector<int64_t> line;
  line.reserve(static_cast<size_t>(total));
  for (size_t e = 0; e < counts.size(); ++e) {
    BMOE_CHECK(counts[e] <= tokens);
    line.insert(line.end(), static_cast<size_t>(counts[e]),
                static_cast<int64_t>(e));
  }
  const std::vector<int64_t> places = SeededPermutation(tokens, seed);
  std::vector<int64_t> experts_of_token(static_cast<size_t>(total));
  for (int64_t token = 0; token < tokens; ++token) {
    for (int32_t k = 0; k < top_k; ++k) {
      experts_of_token[static_cast<size_t>(token * top_k + k)] =
          line[static_cast<size_t>(places[static_cast<size_t>(token)] +
                                   k * tokens)];
    }
  }
  return experts_of_token;
}

}  // namespace balancemoe::worker
