#ifndef BALANCEMOE_WORKER_TRAIN_PROGRESS_BAR_H_
#define BALANCEMOE_WORKER_TRAIN_PROGRESS_BAR_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "common/terminal/progress_line.h"

namespace balancemoe::worker {

// Shows how far a run is and how it goes. Used from one thread.
class ProgressBar {
 public:
  struct Options {
    // Stands at the beginning of the line.
    std::string label;
    int64_t steps = 1;
    bool terminal = false;
  };
  struct Figures {
    double loss = 0;
    double step_ms = 0;
    double imbalance = 1;
  };

  // `out` must outlive the bar.
  ProgressBar(const Options& options, std::ostream& out)
      : steps_(options.steps),
        line_({.label = options.label,
               .total = options.steps,
               .terminal = options.terminal},
              out) {}

  // `done` steps of the run have ended. The time left is taken from a running
  // mean of the step times.
  void Update(int64_t done, const Figures& figures);

  // Ends the line, so that what follows starts a new one.
  void Finish() { line_.Finish(); }

 private:
  const int64_t steps_;
  ProgressLine line_;
  double mean_step_ms_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_PROGRESS_BAR_H_
