#include "common/planning/fewest_lends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/planning/layer_forecast.h"
#include "common/planning/testing/random_snapshot.h"
#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(FewestLendsTest, WhatIsWithinTheTargetStays) {
  const LayerSnapshot snapshot = SmallSnapshot(2, {1010, 990}, {0, 1});

  EXPECT_THAT(FewestLends(KnownLoads(snapshot), snapshot.spare_slots, 1.02),
              IsEmpty());
}

TEST(FewestLendsTest, EachExporterFindsTheReceiverThatFits) {
  // 600 and 300 too much; room of 600 and 300: two lends, not three.
  const LayerSnapshot snapshot =
      SmallSnapshot(4, {1600, 1300, 400, 700}, {0, 1, 2, 3});

  EXPECT_THAT(FewestLends(KnownLoads(snapshot), snapshot.spare_slots, 1),
              ElementsAre(LendOf(0, 0, 2, 600), LendOf(1, 1, 3, 300)));
}

TEST(FewestLendsTest, TargetIsReachedWhereSlotsAllow) {
  SnapshotGenerator generator(7);
  for (int round = 0; round < 300; ++round) {
    LayerSnapshot snapshot = generator.Next(6, 18);
    snapshot.spare_slots.assign(6, 18);
    const LayerLoads loads = KnownLoads(snapshot);

    const std::vector<Lend> lends =
        FewestLends(loads, snapshot.spare_slots, 1.015);

    LayerForecaster forecaster(snapshot.cost);
    forecaster.Time(loads, {.lends = lends});
    const BusiestWorker busiest = FindBusiest(forecaster.workers());
    ASSERT_LE(busiest.tokens,
              static_cast<int64_t>(
                  1.015 * static_cast<double>(loads.total_tokens()) / 6) +
                  1)
        << "round " << round;
  }
}

TEST(FewestLendsTest, SwapThatSavesALendUnderAllLoadsIsFound) {
  // Workers 1 and 2 each miss a hundred; with their experts swapped only one of
  // them does.
  const std::vector<WorkerRank> homes = {WorkerRank(0), WorkerRank(1),
                                         WorkerRank(1), WorkerRank(2),
                                         WorkerRank(2)};
  const PastLoads loads = {Iteration(1), {1200, 600, 300, 500, 400}};

  const std::vector<Move> moves =
      SwapForFewerLends(std::vector<PastLoads>{loads, loads}, homes,
                        std::vector<int32_t>{4, 4, 4}, 1);

  EXPECT_THAT(moves, SizeIs(2));
}

TEST(FewestLendsTest, SwapIsNotWorthItForOneIterationAlone) {
  const std::vector<WorkerRank> homes = {WorkerRank(0), WorkerRank(1),
                                         WorkerRank(1), WorkerRank(2),
                                         WorkerRank(2)};
  const PastLoads unlike = {Iteration(0), {900, 450, 450, 450, 450}};
  const PastLoads loads = {Iteration(1), {1200, 600, 300, 500, 400}};

  EXPECT_THAT(SwapForFewerLends(std::vector<PastLoads>{unlike, loads}, homes,
                                std::vector<int32_t>{4, 4, 4}, 1),
              IsEmpty());
}

}  // namespace
}  // namespace balancemoe
