#include "worker/moe/compute_pace.h"

#include <gtest/gtest.h>

namespace balancemoe::worker {
namespace {

constexpr ComputePace kPace = {
    .launch_us = 10, .us_per_token = 2, .backward_factor = 2.5};

TEST(ComputePaceTest, LaunchAndTokensCountAndNothingIsNothing) {
  EXPECT_EQ(kPace.Forward(0), absl::ZeroDuration());
  EXPECT_EQ(kPace.Forward(20), absl::Microseconds(50));
  EXPECT_EQ(kPace.Backward(20), absl::Microseconds(125));
  EXPECT_EQ(kPace.Backward(0), absl::ZeroDuration());
}

TEST(ComputePaceTest, SleepsUntilThenAndNotBeyondThePast) {
  const SteadyClock clock;
  const absl::Time due = clock.Now() + absl::Milliseconds(3);
  SleepUntil(due, clock);
  EXPECT_GE(clock.Now(), due);
  SleepUntil(absl::InfinitePast(), clock);
}

}  // namespace
}  // namespace balancemoe::worker
