#include "common/terminal/progress_line.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace balancemoe {
namespace {

constexpr int64_t kWidth = 24;

std::string TimeLeft(absl::Duration left) {
  const int64_t seconds = absl::ToInt64Seconds(left + absl::Milliseconds(500));
  if (seconds < 60) return absl::StrFormat("%d s", seconds);
  return absl::StrFormat("%d min %02d s", seconds / 60, seconds % 60);
}

}  // namespace

void ProgressLine::Update(int64_t done, absl::string_view figures,
                          absl::Duration left) {
  if (options_.terminal) {
    out_ << '\r' << Line(done, figures, left) << "\x1b[K" << std::flush;
    return;
  }
  const int64_t tenths = done * 10 / options_.total;
  if (tenths == tenths_shown_) return;
  tenths_shown_ = tenths;
  out_ << Line(done, figures, left) << std::endl;
}

void ProgressLine::Finish() {
  if (options_.terminal) out_ << std::endl;
}

std::string ProgressLine::Line(int64_t done, absl::string_view figures,
                               absl::Duration left) const {
  const int64_t filled = done * kWidth / options_.total;
  const std::string bar(static_cast<size_t>(filled), '=');
  const std::string rest(static_cast<size_t>(kWidth - filled), ' ');
  return absl::StrCat(options_.label, " [", bar, rest, "] ", done, "/",
                      options_.total, figures.empty() ? "" : "  ", figures,
                      "  ", TimeLeft(left), " left");
}

}  // namespace balancemoe
