#ifndef BALANCEMOE_WORKER_TRAIN_PROGRESS_BAR_H_
#define BALANCEMOE_WORKER_TRAIN_PROGRESS_BAR_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/time/time.h"

namespace balancemoe::worker {

// Shows how far a run is: one line that is drawn over on a terminal, a line for
// every tenth of the way elsewhere. Used from one thread.
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
      : options_(options), out_(out) {}

  // `done` steps of the run have ended. The time left is taken from a running
  // mean of the step times.
  void Update(int64_t done, const Figures& figures);

  // Ends the line, so that what follows starts a new one.
  void Finish();

 private:
  std::string Line(int64_t done, const Figures& figures) const;

  const Options options_;
  std::ostream& out_;
  double mean_step_ms_ = 0;
  int64_t tenths_shown_ = -1;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_PROGRESS_BAR_H_
