#ifndef BALANCEMOE_COMMON_REPLAY_REPLAY_REPORT_H_
#define BALANCEMOE_COMMON_REPLAY_REPLAY_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"

namespace balancemoe {

// One policy over one trace. Means are over decisions (one layer of one
// iteration) unless the name says otherwise.
struct PolicyReplay {
  struct Imbalance {
    double mean = 0;
    double p50 = 0;
    double p95 = 0;
    double max = 0;
    // Weighted by the tokens of each decision.
    double token_weighted_mean = 0;
  };
  // Mean over the layers of one iteration, for plots.
  struct Point {
    Iteration iteration;
    double imbalance = 0;
    double layer_time_us = 0;
  };

  std::string policy;
  // inline, ahead or hybrid
  std::string mode;
  Imbalance imbalance;
  double moves_per_decision = 0;
  double lends_per_decision = 0;
  double renewals_per_decision = 0;
  double bytes_per_decision = 0;
  double layer_time_mean_us = 0;
  double layer_time_p95_us = 0;
  double exposed_transfer_mean_us = 0;
  double speedup_over_static = 0;
  double peak_tokens_mean = 0;
  int64_t peak_tokens_max = 0;
  double peak_memory_mean_bytes = 0;
  int64_t peak_memory_max_bytes = 0;
  double energy_j_per_iteration = 0;
  // Measured, the only figures that differ from run to run.
  double solve_p50_us = 0;
  double solve_p99_us = 0;
  std::vector<Point> points;
};

// What a replay found.
struct ReplayReport {
  std::string trace;
  int64_t iterations = 0;
  int64_t layers = 0;
  int32_t experts = 0;
  int32_t workers = 0;
  // As asked: native, inline, ahead or hybrid.
  std::string mode;
  std::string profile;
  double lower_bound_mean_us = 0;
  double balanced_mean_us = 0;
  std::vector<PolicyReplay> policies;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_REPLAY_REPLAY_REPORT_H_
