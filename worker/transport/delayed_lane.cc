#include "worker/transport/delayed_lane.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace balancemoe::worker {
namespace {

constexpr size_t kMostKept = 1000;

}  // namespace

absl::Time DelayedLane::Take(absl::Time earliest, absl::Duration time) {
  absl::Time begin = std::max(earliest, forgotten_until_);
  auto next = busy_.upper_bound(begin);
  if (next != busy_.begin()) begin = std::max(begin, std::prev(next)->second);
  for (; next != busy_.end() && next->first < begin + time; ++next) {
    begin = next->second;
  }
  const absl::Time end = begin + time;
  auto taken = busy_.insert_or_assign(next, begin, end);
  if (next != busy_.end() && next->first == end) {
    taken->second = next->second;
    busy_.erase(next);
  }
  if (taken != busy_.begin()) {
    const auto before = std::prev(taken);
    if (before->second == begin) {
      before->second = taken->second;
      busy_.erase(taken);
    }
  }
  if (busy_.size() > kMostKept) {
    forgotten_until_ = busy_.begin()->second;
    busy_.erase(busy_.begin());
  }
  return begin;
}

}  // namespace balancemoe::worker
