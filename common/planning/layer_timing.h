#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_TIMING_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_TIMING_H_

#include <cstddef>
#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// The timing rule (docs/planning.md): how long a layer takes when its experts
// are lent in a given way. Every policy and every forecast asks here.

// Forward compute of one expert; nothing without tokens.
double ExpertComputeUs(const CostModel& cost, int64_t tokens);

// Time that one expert's parameters, or gradients, hold the lanes of both ends.
double TransferUs(const CostModel& cost);

// A worker's part in a layer, transfers apart, in one forward pass.
struct WorkerWork {
  // Compute of the experts that stay at home.
  double staying_us = 0;
  // One exchange of tokens, dispatch or combine, forward or backward.
  double all_to_all_us = 0;
};

WorkerWork WorkOf(const WorkerTokens& tokens, const CostModel& cost);

// A lend as the timing rule sees it.
struct TimedLend {
  // Indices into the workers.
  size_t from = 0;
  size_t to = 0;
  // Forward compute of the expert's tokens, at the borrower.
  double compute_us = 0;
};

struct WorkerTimes {
  double forward_us = 0;
  double backward_us = 0;
};

struct LayerTiming {
  // [W]
  std::vector<WorkerTimes> workers;
  // Of the last worker in each pass; a pass ends with the exchange in which
  // everybody waits for everybody.
  double forward_us = 0;
  double backward_us = 0;

  double layer_us() const { return forward_us + backward_us; }
};

// Times any group of workers whose lends stay within the group. Keeps scratch
// memory between calls: not thread-safe.
class LayerTimer {
 public:
  // `cost` must be valid.
  explicit LayerTimer(const CostModel& cost);

  // Fills `times`, which has the length of `workers`. `lends` travel in order.
  void Time(absl::Span<const WorkerWork> workers,
            absl::Span<const TimedLend> lends, absl::Span<WorkerTimes> times);

 private:
  struct Interval {
    double begin_us = 0;
    double end_us = 0;
  };
  // One direction of one worker's link: transfers take turns on it.
  struct Lane {
    double free_us = 0;
    std::vector<Interval> busy;
  };
  struct Borrowed {
    double arrival_us = 0;
    size_t lend = 0;
  };
  struct Worker {
    Lane send;
    Lane receive;
    // In order of arrival.
    std::vector<Borrowed> borrowed;
    // Backward: how many of `borrowed` are still to be computed, and since when
    // the worker has been computing the last of these.
    size_t remaining = 0;
    double began_us = 0;
  };

  void ClearLanes(absl::Span<const WorkerWork> workers);
  double Occupy(Lane& sending, Lane& receiving, double earliest_us);
  double Compute(const Worker& worker, double begin_us, double work_us) const;
  double HostUs(const Worker& worker) const;
  double BorrowedBackwardEnd(const Worker& worker,
                             absl::Span<const TimedLend> lends) const;
  void TimeForward(absl::Span<const WorkerWork> workers,
                   absl::Span<const TimedLend> lends,
                   absl::Span<WorkerTimes> times);
  void ReturnGradients(absl::Span<const TimedLend> lends);
  void TimeBackward(absl::Span<const WorkerWork> workers,
                    absl::Span<const TimedLend> lends,
                    absl::Span<WorkerTimes> times);

  const CostModel cost_;
  const double transfer_us_;
  std::vector<Worker> workers_;
};

// The layer's time under `lends`, which must fit the snapshot that `loads` and
// `cost` are from. Takes time in W + the number of lends.
LayerTiming TimeLayer(const LayerLoads& loads, const CostModel& cost,
                      absl::Span<const Lend> lends);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_TIMING_H_
