#include "worker/train/progress_bar.h"

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace balancemoe::worker {
namespace {

// Weight of the newest step in the running mean.
constexpr double kNewest = 0.2;

}  // namespace

void ProgressBar::Update(int64_t done, const Figures& figures) {
  mean_step_ms_ = mean_step_ms_ == 0 ? figures.step_ms
                                     : (1 - kNewest) * mean_step_ms_ +
                                           kNewest * figures.step_ms;
  line_.Update(
      done,
      absl::StrFormat("loss %.4f  step %.0f ms  imbalance %.2f", figures.loss,
                      figures.step_ms, figures.imbalance),
      absl::Milliseconds(mean_step_ms_ * static_cast<double>(steps_ - done)));
}

}  // namespace balancemoe::worker
