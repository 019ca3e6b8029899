#include "common/planning/lower_bound.h"

#include <gtest/gtest.h>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

TEST(LowerBoundTest, IsComputeAndLaunchesSpreadEvenly) {
  LayerSnapshot snapshot = SmallSnapshot(2, {60, 30, 0}, {0, 0, 1});
  snapshot.cost.expert_launch_us = 5;

  // Two experts have tokens; backward takes twice as long as forward.
  EXPECT_DOUBLE_EQ(LowerBoundUs(KnownLoads(snapshot), snapshot.cost),
                   3 * (90 + 2 * 5) / 2.0);
}

TEST(LowerBoundTest, NoTokensTakeNoTime) {
  const LayerSnapshot snapshot = SmallSnapshot(2, {0, 0}, {0, 1});

  EXPECT_EQ(LowerBoundUs(KnownLoads(snapshot), snapshot.cost), 0);
}

}  // namespace
}  // namespace balancemoe
