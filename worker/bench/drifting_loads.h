#ifndef BALANCEMOE_WORKER_BENCH_DRIFTING_LOADS_H_
#define BALANCEMOE_WORKER_BENCH_DRIFTING_LOADS_H_

#include <cstdint>
#include <random>
#include <vector>

#include "common/planning/load_matrix.h"

namespace balancemoe::worker {

// Counts of one layer over successive iterations, as a gate gives them that
// slowly changes its mind: loads of experts are lognormal at first, then each
// goes its own way. The same seed gives the same counts on every machine.
class DriftingLoads {
 public:
  struct Options {
    // Of the logarithm of the first loads.
    double sigma = 1.2;
    // Of the logarithm of the factor from one iteration to the next.
    double drift = 0.1;
    int64_t assignments_per_worker = 4096;
    uint64_t seed = 1;
  };

  DriftingLoads(int32_t num_workers, int32_t num_experts,
                const Options& options);

  // [W, E], of the next iteration. Every worker has as many assignments, and
  // about the same part of each expert's.
  LoadMatrix Next();

 private:
  double DrawNormal();

  const int32_t num_workers_;
  const Options options_;
  std::mt19937_64 random_;
  bool first_ = true;
  // [E], logarithms: products of many factors leave the range of numbers.
  std::vector<double> logs_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_DRIFTING_LOADS_H_
