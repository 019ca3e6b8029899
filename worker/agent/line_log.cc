#include "worker/agent/line_log.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

void WriteToStandardError(absl::string_view line) {
  // One call, so that lines of several workers do not mix.
  const std::string whole = absl::StrCat(line, "\n");
  std::fwrite(whole.data(), 1, whole.size(), stderr);
}

}  // namespace

LineLog::LineLog(std::string prefix, Sink sink, const Clock& clock)
    : prefix_(std::move(prefix)),
      sink_(sink ? std::move(sink) : WriteToStandardError),
      clock_(clock) {}

void LineLog::Write(absl::string_view topic, absl::string_view line) {
  std::string whole = absl::StrCat(prefix_, line);
  {
    MutexLock lock(&mutex_);
    Topic& state = topics_[std::string(topic)];
    const absl::Time now = clock_.Now();
    if (now < state.quiet_until) {
      ++state.left_out;
      return;
    }
    if (state.left_out > 0) {
      absl::StrAppend(&whole, " (", state.left_out, " like it left out)");
    }
    state = {.quiet_until = now + kPeriod, .left_out = 0};
  }
  sink_(whole);
}

}  // namespace balancemoe::worker
