#include "worker/train/progress_bar.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_format.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kWidth = 24;
// Weight of the newest step in the running mean.
constexpr double kNewest = 0.2;

std::string TimeLeft(double milliseconds) {
  const auto seconds = static_cast<int64_t>(milliseconds / 1e3 + 0.5);
  if (seconds < 60) return absl::StrFormat("%d s", seconds);
  return absl::StrFormat("%d min %02d s", seconds / 60, seconds % 60);
}

}  // namespace

void ProgressBar::Update(int64_t done, const Figures& figures) {
  mean_step_ms_ = mean_step_ms_ == 0 ? figures.step_ms
                                     : (1 - kNewest) * mean_step_ms_ +
                                           kNewest * figures.step_ms;
  if (options_.terminal) {
    out_ << '\r' << Line(done, figures) << "\x1b[K" << std::flush;
    return;
  }
  const int64_t tenths = done * 10 / options_.steps;
  if (tenths == tenths_shown_) return;
  tenths_shown_ = tenths;
  out_ << Line(done, figures) << std::endl;
}

void ProgressBar::Finish() {
  if (options_.terminal) out_ << std::endl;
}

std::string ProgressBar::Line(int64_t done, const Figures& figures) const {
  const int64_t filled = done * kWidth / options_.steps;
  const std::string bar(static_cast<size_t>(filled), '=');
  const std::string rest(static_cast<size_t>(kWidth - filled), ' ');
  return absl::StrFormat(
      "%s [%s%s] %d/%d  loss %.4f  step %.0f ms  imbalance %.2f  %s left",
      options_.label, bar, rest, done, options_.steps, figures.loss,
      figures.step_ms, figures.imbalance,
      TimeLeft(mean_step_ms_ * static_cast<double>(options_.steps - done)));
}

}  // namespace balancemoe::worker
