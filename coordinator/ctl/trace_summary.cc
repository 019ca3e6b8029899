#include "coordinator/ctl/trace_summary.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"

namespace balancemoe::coordinator {
namespace {

// [E], summed over sources.
std::vector<int64_t> ExpertLoads(const TraceRecord& record) {
  std::vector<int64_t> loads(static_cast<size_t>(record.tokens.num_experts()));
  for (int32_t rank = 0; rank < record.tokens.num_workers(); ++rank) {
    const absl::Span<const int64_t> row = record.tokens.Row(WorkerRank(rank));
    for (size_t e = 0; e < loads.size(); ++e) loads[e] += row[e];
  }
  return loads;
}

double Imbalance(absl::Span<const int64_t> loads, int64_t total,
                 int32_t workers) {
  const size_t run = loads.size() / static_cast<size_t>(workers);
  int64_t busiest = 0;
  for (size_t begin = 0; begin < loads.size(); begin += run) {
    busiest = std::max(
        busiest, absl::c_accumulate(loads.subspan(begin, run), int64_t{0}));
  }
  return static_cast<double>(busiest) * workers / static_cast<double>(total);
}

// Pearson's; none where a side does not vary.
std::optional<double> Correlation(absl::Span<const int64_t> a,
                                  absl::Span<const int64_t> b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = absl::c_accumulate(a, 0.0) / n;
  const double mean_b = absl::c_accumulate(b, 0.0) / n;
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = static_cast<double>(a[i]) - mean_a;
    const double db = static_cast<double>(b[i]) - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  if (aa == 0 || bb == 0) return std::nullopt;
  return ab / std::sqrt(aa * bb);
}

double Mean(absl::Span<const double> values, double if_none) {
  if (values.empty()) return if_none;
  return absl::c_accumulate(values, 0.0) / static_cast<double>(values.size());
}

// Nearest rank. `sorted` must not be empty.
double Percentile(absl::Span<const double> sorted, double percent) {
  const double rank =
      std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

// What the decisions say, each by itself and compared to the one before.
struct Observations {
  std::vector<double> imbalances;
  std::vector<double> hottest_shares;
  std::vector<double> correlations;
  std::vector<int64_t> assignments;
  int64_t zero_loads = 0;
};

Observations Observe(const Trace& trace, int32_t workers) {
  Observations seen;
  std::map<LayerId, std::vector<int64_t>> before_by_layer;
  for (const TraceRecord& record : trace.records) {
    std::vector<int64_t> loads = ExpertLoads(record);
    const int64_t total = absl::c_accumulate(loads, int64_t{0});
    seen.assignments.push_back(total);
    seen.zero_loads += absl::c_count(loads, 0);
    if (total > 0) {
      seen.imbalances.push_back(Imbalance(loads, total, workers));
      seen.hottest_shares.push_back(
          static_cast<double>(*absl::c_max_element(loads)) /
          static_cast<double>(total));
    }
    std::vector<int64_t>& before = before_by_layer[record.layer];
    if (!before.empty()) {
      const std::optional<double> correlation = Correlation(before, loads);
      if (correlation.has_value()) seen.correlations.push_back(*correlation);
    }
    before = std::move(loads);
  }
  return seen;
}

void AddImbalance(std::vector<double> imbalances, TraceSummary& summary) {
  if (imbalances.empty()) return;
  absl::c_sort(imbalances);
  summary.imbalance_mean = Mean(imbalances, 1);
  summary.imbalance_p50 = Percentile(imbalances, 50);
  summary.imbalance_p95 = Percentile(imbalances, 95);
  summary.imbalance_max = imbalances.back();
}

}  // namespace

TraceSummary SummariseTrace(const Trace& trace, int32_t workers) {
  const Observations seen = Observe(trace, workers);
  std::set<Iteration> iterations;
  for (const TraceRecord& record : trace.records) {
    iterations.insert(record.iteration);
  }
  TraceSummary summary = {
      .trace = trace.name,
      .iterations = static_cast<int64_t>(iterations.size()),
      .first_iteration = iterations.begin()->value(),
      .last_iteration = iterations.rbegin()->value(),
      .layers = static_cast<int64_t>(trace.layers.size()),
      .decisions = static_cast<int64_t>(trace.records.size()),
      .experts = trace.num_experts,
      .ranks = trace.num_ranks,
      .assignments_mean = absl::c_accumulate(seen.assignments, 0.0) /
                          static_cast<double>(seen.assignments.size()),
      .assignments_min = *absl::c_min_element(seen.assignments),
      .assignments_max = *absl::c_max_element(seen.assignments),
      .workers = workers,
      .hottest_expert_share_mean = Mean(seen.hottest_shares, 0),
      .successive_correlation_mean = Mean(seen.correlations, 1),
      .zero_load_share =
          static_cast<double>(seen.zero_loads) /
          (static_cast<double>(trace.records.size()) * trace.num_experts)};
  if (!seen.hottest_shares.empty()) {
    summary.hottest_expert_share_max =
        *absl::c_max_element(seen.hottest_shares);
  }
  if (!seen.correlations.empty()) {
    summary.successive_correlation_min =
        *absl::c_min_element(seen.correlations);
  }
  AddImbalance(seen.imbalances, summary);
  return summary;
}

nlohmann::ordered_json TraceSummaryJson(const TraceSummary& summary) {
  return nlohmann::ordered_json{{"trace", summary.trace},
                                {"iterations", summary.iterations},
                                {"first_iteration", summary.first_iteration},
                                {"last_iteration", summary.last_iteration},
                                {"layers", summary.layers},
                                {"decisions", summary.decisions},
                                {"experts", summary.experts},
                                {"ranks", summary.ranks},
                                {"assignments_per_decision",
                                 {{"mean", summary.assignments_mean},
                                  {"min", summary.assignments_min},
                                  {"max", summary.assignments_max}}},
                                {"workers", summary.workers},
                                {"imbalance",
                                 {{"mean", summary.imbalance_mean},
                                  {"p50", summary.imbalance_p50},
                                  {"p95", summary.imbalance_p95},
                                  {"max", summary.imbalance_max}}},
                                {"hottest_expert_share",
                                 {{"mean", summary.hottest_expert_share_mean},
                                  {"max", summary.hottest_expert_share_max}}},
                                {"successive_correlation",
                                 {{"mean", summary.successive_correlation_mean},
                                  {"min", summary.successive_correlation_min}}},
                                {"zero_load_share", summary.zero_load_share}};
}

std::string TraceSummaryText(const TraceSummary& summary) {
  const std::string ranks = summary.ranks > 0
                                ? absl::StrCat(summary.ranks)
                                : "not told apart, a row is their sum";
  return absl::StrCat(
      absl::StrFormat("trace          %s\n", summary.trace),
      absl::StrFormat("iterations     %d, from %d to %d\n", summary.iterations,
                      summary.first_iteration, summary.last_iteration),
      absl::StrFormat("layers         %d (%d decisions)\n", summary.layers,
                      summary.decisions),
      absl::StrFormat("experts        %d per layer\n", summary.experts),
      absl::StrFormat("source ranks   %s\n", ranks),
      absl::StrFormat("assignments    %.0f per decision, %d to %d\n",
                      summary.assignments_mean, summary.assignments_min,
                      summary.assignments_max),
      absl::StrFormat("imbalance      %.2f mean, %.2f p50, %.2f p95, %.2f max "
                      "(busiest of %d workers / mean)\n",
                      summary.imbalance_mean, summary.imbalance_p50,
                      summary.imbalance_p95, summary.imbalance_max,
                      summary.workers),
      absl::StrFormat(
          "hottest expert %.1f %% of a decision's assignments, %.1f "
          "%% at most\n",
          100 * summary.hottest_expert_share_mean,
          100 * summary.hottest_expert_share_max),
      absl::StrFormat("correlation    %.3f mean, %.3f min, of a layer's loads "
                      "with those before\n",
                      summary.successive_correlation_mean,
                      summary.successive_correlation_min),
      absl::StrFormat("zero loads     %.1f %% of all expert loads\n",
                      100 * summary.zero_load_share));
}

}  // namespace balancemoe::coordinator
