#include "worker/transport/delayed_lane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace balancemoe::worker {
namespace {

absl::Time At(int ms) { return absl::UnixEpoch() + absl::Milliseconds(ms); }

TEST(DelayedLaneTest, MessagesThatComeTogetherQueue) {
  DelayedLane lane;
  EXPECT_EQ(lane.Take(At(10), absl::Milliseconds(5)), At(10));
  EXPECT_EQ(lane.Take(At(10), absl::Milliseconds(5)), At(15));
  EXPECT_EQ(lane.Take(At(30), absl::Milliseconds(5)), At(30));
}

TEST(DelayedLaneTest, AnEarlyMessageDoesNotQueueBehindLaterOnes) {
  DelayedLane lane;
  lane.Take(At(100), absl::Milliseconds(50));
  EXPECT_EQ(lane.Take(At(20), absl::Milliseconds(30)), At(20));
  EXPECT_EQ(lane.Take(At(20), absl::Milliseconds(30)), At(50));
}

TEST(DelayedLaneTest, AGapTooShortIsPassedOver) {
  DelayedLane lane;
  lane.Take(At(100), absl::Milliseconds(50));
  lane.Take(At(170), absl::Milliseconds(10));
  EXPECT_EQ(lane.Take(At(90), absl::Milliseconds(15)), At(150));
  EXPECT_EQ(lane.Take(At(90), absl::Milliseconds(10)), At(90));
  EXPECT_EQ(lane.Take(At(90), absl::Milliseconds(5)), At(165));
  EXPECT_EQ(lane.Take(At(90), absl::Milliseconds(5)), At(180));
}

TEST(DelayedLaneTest, WhatTakesNoTimeWaitsForNothingThatComesLater) {
  DelayedLane lane;
  lane.Take(At(100), absl::Milliseconds(50));
  EXPECT_EQ(lane.Take(At(100), absl::ZeroDuration()), At(150));
  EXPECT_EQ(lane.Take(At(70), absl::ZeroDuration()), At(70));
  EXPECT_EQ(lane.Take(At(70), absl::Milliseconds(30)), At(70));
}

TEST(DelayedLaneTest, CarriesOneAtATimeInAnyOrder) {
  std::mt19937 random(7);
  DelayedLane lane;
  std::vector<std::pair<absl::Time, absl::Time>> taken;
  for (int i = 0; i < 900; ++i) {
    const absl::Time earliest = At(static_cast<int>(random() % 20000));
    const absl::Duration time =
        absl::Milliseconds(static_cast<int>(random() % 8 + 1));
    const absl::Time begin = lane.Take(earliest, time);
    EXPECT_GE(begin, earliest);
    taken.emplace_back(begin, begin + time);
  }
  std::sort(taken.begin(), taken.end());
  for (size_t i = 1; i < taken.size(); ++i) {
    EXPECT_LE(taken[i - 1].second, taken[i].first);
  }
}

TEST(DelayedLaneTest, ForgetsGapsOfLongAgo) {
  DelayedLane lane;
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(lane.Take(At(10 * i), absl::Milliseconds(4)), At(10 * i));
  }
  // The first thousand are forgotten.
  EXPECT_EQ(lane.Take(At(0), absl::Milliseconds(4)), At(10 * 999 + 4));
}

}  // namespace
}  // namespace balancemoe::worker
