#ifndef BALANCEMOE_COMMON_FAKE_CLOCK_H_
#define BALANCEMOE_COMMON_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"

namespace balancemoe {

// A clock that moves only by hand. Thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override {
    return absl::FromUnixNanos(now_ns_.load());
  }
  void Advance(absl::Duration by) { now_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_ns_ = 1'000'000'000;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_FAKE_CLOCK_H_
