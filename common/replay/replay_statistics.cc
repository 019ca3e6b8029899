#include "common/replay/replay_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace balancemoe {
namespace {

// Nearest rank: the smallest value that at least `share` of all do not exceed.
double Quantile(std::vector<double> values, double share) {
  const auto count = static_cast<double>(values.size());
  const auto rank =
      static_cast<std::ptrdiff_t>(std::max(std::ceil(share * count), 1.0));
  std::nth_element(values.begin(), values.begin() + rank - 1, values.end());
  return values[static_cast<size_t>(rank - 1)];
}

}  // namespace

void ReplayStatistics::Add(Iteration iteration,
                           const ReplayedDecision& decision, int64_t tokens) {
  entries_.push_back({iteration, decision, tokens});
}

PolicyReplay ReplayStatistics::Summary() const {
  PolicyReplay result;
  const auto count = static_cast<double>(entries_.size());
  const auto values = [&](auto field) {
    std::vector<double> all;
    for (const Entry& entry : entries_) {
      all.push_back(static_cast<double>(entry.decision.*field));
    }
    return all;
  };
  const auto mean = [&](auto field) {
    double sum = 0;
    for (const Entry& entry : entries_) {
      sum += static_cast<double>(entry.decision.*field);
    }
    return sum / count;
  };
  const auto largest = [&](auto field) {
    const std::vector<double> all = values(field);
    return *std::max_element(all.begin(), all.end());
  };
  using Decision = ReplayedDecision;
  result.imbalance = {.mean = mean(&Decision::imbalance),
                      .p50 = Quantile(values(&Decision::imbalance), 0.5),
                      .p95 = Quantile(values(&Decision::imbalance), 0.95),
                      .max = largest(&Decision::imbalance)};
  result.moves_per_decision = mean(&Decision::moves);
  result.lends_per_decision = mean(&Decision::new_lends);
  result.renewals_per_decision = mean(&Decision::renewals);
  result.bytes_per_decision = mean(&Decision::bytes);
  result.layer_time_mean_us = mean(&Decision::layer_us);
  result.layer_time_p95_us = Quantile(values(&Decision::layer_us), 0.95);
  result.exposed_transfer_mean_us = mean(&Decision::exposed_transfer_us);
  result.peak_tokens_mean = mean(&Decision::peak_tokens);
  result.peak_tokens_max =
      static_cast<int64_t>(largest(&Decision::peak_tokens));
  result.peak_memory_mean_bytes = mean(&Decision::peak_memory_bytes);
  result.peak_memory_max_bytes =
      static_cast<int64_t>(largest(&Decision::peak_memory_bytes));
  result.solve_p50_us = Quantile(values(&Decision::solve_us), 0.5);
  result.solve_p99_us = Quantile(values(&Decision::solve_us), 0.99);

  double weighted = 0;
  double tokens = 0;
  for (const Entry& entry : entries_) {
    weighted += entry.decision.imbalance * static_cast<double>(entry.tokens);
    tokens += static_cast<double>(entry.tokens);
  }
  result.imbalance.token_weighted_mean = tokens > 0 ? weighted / tokens : 1;
  for (size_t i = 0; i < entries_.size();) {
    PolicyReplay::Point point = {.iteration = entries_[i].iteration};
    double layers = 0;
    double energy_j = 0;
    for (; i < entries_.size() && entries_[i].iteration == point.iteration;
         ++i, ++layers) {
      point.imbalance += entries_[i].decision.imbalance;
      point.layer_time_us += entries_[i].decision.layer_us;
      energy_j += entries_[i].decision.energy_j;
    }
    point.imbalance /= layers;
    point.layer_time_us /= layers;
    result.points.push_back(point);
    result.energy_j_per_iteration += energy_j;
  }
  result.energy_j_per_iteration /= static_cast<double>(result.points.size());
  return result;
}

}  // namespace balancemoe
