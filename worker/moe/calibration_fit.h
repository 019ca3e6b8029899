#ifndef BALANCEMOE_WORKER_MOE_CALIBRATION_FIT_H_
#define BALANCEMOE_WORKER_MOE_CALIBRATION_FIT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"

namespace balancemoe::worker {

// What a layer does with the rows of one expert took, in microseconds.
struct ComputeTimes {
  double forward_us = 0;
  double backward_us = 0;

  double total_us() const { return forward_us + backward_us; }
};

// One worker's times of one round, in which all computed the same.
struct ComputeRound {
  ComputeTimes few;
  ComputeTimes many;
};

// Until the last worker was done with each pass: all of a layer's workers wait
// for it. Of the rounds the median, pass by pass. `rounds` is [W, R] by rows,
// R >= 1 of each worker.
ComputeRound TimesOfSlowest(absl::Span<const ComputeRound> rounds,
                            size_t rounds_per_worker);

// Times of a number of rows, at least 1.
struct TimedRows {
  int64_t rows = 0;
  ComputeTimes times;
};

// What transfers of one round did to the computation beside them.
struct OverlapTimes {
  // By which both ended later than the longer of both takes alone.
  double extra_us = 0;
  // Processor time of other threads meanwhile.
  double other_threads_us = 0;
  double transfer_us = 0;
  double bytes = 0;
};

// The line through both, `few` of fewer rows than `many`: sets `model`'s times
// of computing.
void FitCompute(const TimedRows& few, const TimedRows& many, CostModel& model);

// Sets what transfers cost the computation beside them. `rounds` is not empty.
void FitOverlap(const std::vector<OverlapTimes>& rounds, CostModel& model);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_CALIBRATION_FIT_H_
