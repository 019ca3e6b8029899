#include "worker/bench/drifting_loads.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace balancemoe::worker {
namespace {

// Whole numbers in proportion to `weights`, with exactly this sum: running sums
// are rounded.
std::vector<int64_t> Apportion(const std::vector<double>& weights,
                               int64_t sum) {
  double total = 0;
  for (const double weight : weights) total += weight;
  std::vector<int64_t> parts;
  double before = 0;
  int64_t given = 0;
  for (const double weight : weights) {
    before += weight;
    const int64_t until = std::min<int64_t>(
        sum, std::llround(before / total * static_cast<double>(sum)));
    parts.push_back(until - given);
    given = until;
  }
  parts.back() += sum - given;
  return parts;
}

}  // namespace

DriftingLoads::DriftingLoads(int32_t num_workers, int32_t num_experts,
                             const Options& options)
    : num_workers_(num_workers),
      options_(options),
      random_(options.seed),
      logs_(static_cast<size_t>(num_experts)) {}

// Box and Muller's, because the standard library's differs between machines.
double DriftingLoads::DrawNormal() {
  // In (0, 1].
  const auto uniform = [this] {
    return (static_cast<double>(random_() >> 11) + 1) * 0x1p-53;
  };
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

LoadMatrix DriftingLoads::Next() {
  for (double& log : logs_) {
    log += (first_ ? options_.sigma : options_.drift) * DrawNormal();
  }
  first_ = false;
  const double highest = *std::max_element(logs_.begin(), logs_.end());
  std::vector<double> weights;
  for (const double log : logs_) weights.push_back(std::exp(log - highest));
  const std::vector<int64_t> tokens_of_expert =
      Apportion(weights, options_.assignments_per_worker * num_workers_);
  LoadMatrix loads(num_workers_, static_cast<int32_t>(logs_.size()));
  // Remainders go round the workers, so that all have the same sum.
  int64_t next = 0;
  for (size_t e = 0; e < tokens_of_expert.size(); ++e) {
    const int64_t rest = tokens_of_expert[e] % num_workers_;
    for (int32_t w = 0; w < num_workers_; ++w) {
      const int64_t turn = (w - next + num_workers_) % num_workers_;
      loads.MutableRow(WorkerRank(w))[e] =
          tokens_of_expert[e] / num_workers_ + (turn < rest ? 1 : 0);
    }
    next = (next + rest) % num_workers_;
  }
  return loads;
}

}  // namespace balancemoe::worker
