#include "common/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/fake_clock.h"

namespace balancemoe {
namespace {

TEST(SteadyClockTest, NeverGoesBack) {
  const SteadyClock clock;
  absl::Time last = clock.Now();
  for (int i = 0; i < 10'000; ++i) {
    const absl::Time now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SteadyClockTest, TwoClocksTellTheSameTime) {
  const SteadyClock first;
  const SteadyClock second;

  const absl::Time before = first.Now();
  const absl::Time between = second.Now();
  const absl::Time after = first.Now();

  EXPECT_LE(before, between);
  EXPECT_LE(between, after);
}

TEST(FakeClockTest, MovesOnlyByHand) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  EXPECT_EQ(clock.Now(), start);

  clock.Advance(absl::Milliseconds(1500));
  EXPECT_EQ(clock.Now() - start, absl::Milliseconds(1500));

  clock.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(clock.Now() - start,
            absl::Milliseconds(1500) + absl::Nanoseconds(1));
}

}  // namespace
}  // namespace balancemoe
