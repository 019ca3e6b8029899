#include "common/planning/busy_spans.h"

#include <algorithm>
#include <cstddef>

namespace balancemoe {

void BusySpans::Add(double begin_us, double end_us) {
  size_t at = spans_.size();
  while (at > 0 && spans_[at - 1].begin_us > begin_us) --at;
  if (at > 0 && spans_[at - 1].end_us >= begin_us) {
    --at;
    spans_[at].end_us = std::max(spans_[at].end_us, end_us);
  } else {
    spans_.insert(spans_.begin() + static_cast<std::ptrdiff_t>(at),
                  {begin_us, end_us});
  }
  size_t next = at + 1;
  while (next < spans_.size() && spans_[next].begin_us <= spans_[at].end_us) {
    spans_[at].end_us = std::max(spans_[at].end_us, spans_[next].end_us);
    ++next;
  }
  spans_.erase(spans_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
               spans_.begin() + static_cast<std::ptrdiff_t>(next));
}

double BusySpans::Advance(double begin_us, double work_us,
                          double slowdown) const {
  double now_us = begin_us;
  for (const Span& span : spans_) {
    if (span.end_us <= now_us) continue;
    if (span.begin_us > now_us) {
      const double free_us = span.begin_us - now_us;
      if (work_us <= free_us) return now_us + work_us;
      work_us -= free_us;
      now_us = span.begin_us;
    }
    const double pace_us = (span.end_us - now_us) / slowdown;
    if (work_us <= pace_us) return now_us + work_us * slowdown;
    work_us -= pace_us;
    now_us = span.end_us;
  }
  return now_us + work_us;
}

double BusySpans::BusyBefore(double end_us) const {
  double busy_us = 0;
  for (const Span& span : spans_) {
    if (span.begin_us >= end_us) break;
    busy_us += std::min(span.end_us, end_us) - span.begin_us;
  }
  return busy_us;
}

}  // namespace balancemoe
