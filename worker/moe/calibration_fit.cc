#include "worker/moe/calibration_fit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/statistics.h"

namespace balancemoe::worker {
namespace {

constexpr double kMaxSlowdown = 4;

double MedianOf(const std::vector<OverlapTimes>& rounds,
                double OverlapTimes::*field) {
  std::vector<double> values;
  for (const OverlapTimes& round : rounds) values.push_back(round.*field);
  return Median(std::move(values));
}

// Of one pass of all rounds.
double MedianOfSlowest(absl::Span<const ComputeRound> rounds,
                       size_t rounds_per_worker,
                       ComputeTimes ComputeRound::*rows,
                       double ComputeTimes::*pass) {
  std::vector<double> slowest(rounds_per_worker);
  for (size_t i = 0; i < rounds.size(); ++i) {
    double& us = slowest[i % rounds_per_worker];
    us = std::max(us, rounds[i].*rows.*pass);
  }
  return Median(std::move(slowest));
}

}  // namespace

ComputeRound TimesOfSlowest(absl::Span<const ComputeRound> rounds,
                            size_t rounds_per_worker) {
  ComputeRound slowest;
  for (const auto rows : {&ComputeRound::few, &ComputeRound::many}) {
    for (const auto pass :
         {&ComputeTimes::forward_us, &ComputeTimes::backward_us}) {
      slowest.*rows.*pass =
          MedianOfSlowest(rounds, rounds_per_worker, rows, pass);
    }
  }
  return slowest;
}

void FitCompute(const TimedRows& few, const TimedRows& many, CostModel& model) {
  const auto rows = static_cast<double>(many.rows);
  const double slope = (many.times.forward_us - few.times.forward_us) /
                       static_cast<double>(many.rows - few.rows);
  // Noise can turn the line round; then all is per token.
  const double most = many.times.forward_us / rows;
  model.us_per_token = slope > 0 ? std::min(slope, most) : most;
  // Rounding can leave it a little under 0, which no coordinator accepts.
  model.expert_launch_us =
      std::max(many.times.forward_us - rows * model.us_per_token, 0.0);
  model.backward_factor = many.times.backward_us / many.times.forward_us;
}

void FitOverlap(const std::vector<OverlapTimes>& rounds, CostModel& model) {
  const double extra = std::max(MedianOf(rounds, &OverlapTimes::extra_us), 0.0);
  const double cpu = MedianOf(rounds, &OverlapTimes::other_threads_us);
  const double transfer = MedianOf(rounds, &OverlapTimes::transfer_us);
  const double host = std::min(extra, std::max(cpu, 0.0));
  model.host_cpu_us_per_byte = host / MedianOf(rounds, &OverlapTimes::bytes);
  // While a transfer is under way, compute advances at 1 / slowdown of its
  // pace.
  const double lost = transfer > 0 ? (extra - host) / transfer : 0;
  model.overlap_slowdown =
      lost < 1 - 1 / kMaxSlowdown ? 1 / (1 - lost) : kMaxSlowdown;
}

}  // namespace balancemoe::worker
