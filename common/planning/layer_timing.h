#ifndef BALANCEMOE_COMMON_PLANNING_LAYER_TIMING_H_
#define BALANCEMOE_COMMON_PLANNING_LAYER_TIMING_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"
#include "common/planning/lanes.h"
#include "common/planning/layer_loads.h"

namespace balancemoe {

// The timing rule (docs/planning.md): how long a layer takes when its experts
// are computed in a given way. Every policy, forecast and replay asks here.

// Forward compute of one expert; nothing without tokens.
double ExpertComputeUs(const CostModel& cost, int64_t tokens);

// A worker's part in a layer, transfers apart, in one forward pass.
struct WorkerWork {
  // Compute of the experts that stay at home.
  double staying_us = 0;
  // One exchange of tokens, dispatch or combine, forward or backward.
  double exchange_us = 0;
};

WorkerWork WorkOf(const WorkerTokens& tokens, const CostModel& cost);

// What a worker that gets an expert does with it.
struct TimedCopy {
  // Index into the workers.
  size_t worker = 0;
  // Forward compute of its tokens; 0: it computes none.
  double compute_us = 0;
};

// An expert on its way to one or several workers.
struct TimedTransfer {
  // Index into the workers.
  size_t from = 0;
  // Half open, into the copies.
  size_t begin_copy = 0;
  size_t end_copy = 0;
  // Planned ahead: may start CostModel::head_start before the layer does.
  bool early = false;
  // A lasting one, with optimizer state and without a gradient to return.
  bool move = false;
};

// All that happens in a layer.
struct LayerWork {
  std::vector<WorkerWork> workers;
  // [W]
  std::vector<int32_t> nodes;
  // In the order in which they travel, early ones first.
  std::vector<TimedTransfer> transfers;
  std::vector<TimedCopy> copies;
  // Planning on the critical path.
  double planning_us = 0;

  void Clear();
};

struct WorkerTimes {
  double forward_us = 0;
  double backward_us = 0;
};

struct LayerTiming {
  // [W]
  std::vector<WorkerTimes> workers;
  // Of the last worker in each pass; a pass ends with the exchange in which
  // everybody waits for everybody. Planning counts as forward.
  double forward_us = 0;
  double backward_us = 0;
  // The same compute and exchanges, if transfers and planning took no time.
  double undisturbed_us = 0;

  double layer_us() const { return forward_us + backward_us; }
};

// Times any group of workers whose transfers stay within the group. Keeps
// scratch memory between calls: not thread-safe.
class LayerTimer {
 public:
  // `cost` must be valid.
  explicit LayerTimer(const CostModel& cost) : cost_(cost) {}

  // Fills `timing`, whose memory is used again. `work` must outlive the call
  // only. When compute and exchanges alone take `give_up_us` or longer, it
  // stops there and says so: false, and only `undisturbed_us` is filled in.
  bool Time(const LayerWork& work, LayerTiming& timing,
            double give_up_us = std::numeric_limits<double>::infinity());

 private:
  struct Borrowed {
    double arrival_us = 0;
    size_t copy = 0;
    size_t transfer = 0;
  };
  // How one transfer travels.
  struct Journey {
    Route parameters;
    // Of those that compute something.
    size_t computing = 0;
    // Gradients that are not computed yet.
    size_t pending = 0;
    // Where fewer return a gradient than got parameters: perhaps another route,
    // looked for with the first of them.
    Route gradients;
    bool gradients_known = false;
  };
  struct Worker {
    // Forward compute, borrowed experts included.
    double compute_us = 0;
    // In order of arrival; only what has compute.
    std::vector<Borrowed> borrowed;
    // Backward: how many of `borrowed` are still to be computed, and since when
    // the worker has been computing the last of these.
    size_t remaining = 0;
    double began_us = 0;
    // Backward: when the last gradient of its own experts comes home.
    double gradients_home_us = 0;
  };
  // Optimizer state on its way, from the start of forward.
  struct StateTransfer {
    size_t from = 0;
    size_t to = 0;
    double begin_us = 0;
    double end_us = 0;
  };

  void TimeUndisturbed(LayerTiming& timing);
  void SendParameters();
  void SendTransfer(size_t index, double earliest_us);
  void SendOptimizerState(const TimedTransfer& transfer, double earliest_us);
  void TimeForward(LayerTiming& timing);
  double BorrowedBackwardEnd(const Worker& worker) const;
  void RunBorrowedBackward();
  void FinishBorrowed(const Borrowed& borrowed, double end_us);
  const Route& GradientRoute(const TimedTransfer& transfer, Journey& journey);
  void ListComputing(const TimedTransfer& transfer);
  void SendGradient(const TimedTransfer& transfer, const Route& route,
                    double end_us);
  void TimeBackward(LayerTiming& timing);

  const CostModel cost_;
  const LayerWork* work_ = nullptr;
  Lanes lanes_;
  std::vector<Worker> workers_;
  std::vector<StateTransfer> states_;
  double early_us_ = 0;
  // [transfers]
  std::vector<Journey> journeys_;
  std::vector<size_t> others_;
  std::vector<double> arrivals_us_;
  std::vector<std::pair<double, size_t>> ends_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYER_TIMING_H_
