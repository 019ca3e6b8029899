#include "common/planning/top_up.h"

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

TopUpResult TopUpOf(const LayerSnapshot& snapshot,
                    const std::vector<Replica>& planned) {
  const LayerLoads loads = KnownLoads(snapshot);
  return TopUp(loads, snapshot.cost, UsableSlots(snapshot), planned);
}

TEST(TopUpTest, BalancedCountsAreNotSearched) {
  const TopUpResult result =
      TopUpOf(SmallSnapshot(2, {1000, 1000}, {0, 1}), {});

  EXPECT_THAT(result.lends, IsEmpty());
  EXPECT_FALSE(result.searched);
}

TEST(TopUpTest, PlannedReplicaThatServesNeedsNoMore) {
  const TopUpResult result = TopUpOf(SmallSnapshot(2, {3000, 1000}, {0, 1}),
                                     {{ExpertId(0), WorkerRank(1)}});

  EXPECT_THAT(result.lends, ElementsAre(LendOf(0, 0, 1, 1000)));
  EXPECT_EQ(result.planned, 1U);
  EXPECT_FALSE(result.searched);
}

TEST(TopUpTest, LoadThatNobodyExpectedIsLent) {
  const TopUpResult result =
      TopUpOf(SmallSnapshot(2, {3000, 1000}, {0, 1}), {});

  EXPECT_THAT(result.lends, ElementsAre(LendOf(0, 0, 1, 1000)));
  EXPECT_EQ(result.planned, 0U);
  EXPECT_TRUE(result.searched);
}

TEST(TopUpTest, UnusedReplicaGivesItsSlotBack) {
  // Expert 1 was expected to be hot and is not; worker 1 has one slot, which
  // holds it.
  LayerSnapshot snapshot = SmallSnapshot(2, {3000, 0, 1000}, {0, 0, 1});
  snapshot.spare_slots = {1, 1};

  const TopUpResult result = TopUpOf(snapshot, {{ExpertId(1), WorkerRank(1)}});

  EXPECT_THAT(result.lends,
              ElementsAre(LendOf(1, 0, 1, 0), LendOf(0, 0, 1, 1000)));
  EXPECT_EQ(result.planned, 1U);
}

TEST(TopUpTest, LendThatTakesLongerThanItSavesIsNotMade) {
  LayerSnapshot snapshot = SmallSnapshot(2, {3000, 1000}, {0, 1});
  snapshot.cost.intra_node.latency_us = 1e6;

  const TopUpResult result = TopUpOf(snapshot, {});

  EXPECT_THAT(result.lends, IsEmpty());
  EXPECT_TRUE(result.searched);
}

TEST(TopUpTest, NeverPredictedSlowerThanThePlanAloneAndKeepsToSlots) {
  SnapshotGenerator generator(5);
  for (int round = 0; round < 500; ++round) {
    const LayerSnapshot snapshot = generator.Next(5, 12);
    const LayerLoads loads = KnownLoads(snapshot);

    const TopUpResult result = TopUpOf(snapshot, {});

    std::vector<int32_t> used(5);
    for (const Lend& lend : result.lends) ++used[lend.to.index()];
    for (size_t i = 0; i < used.size(); ++i) {
      ASSERT_LE(used[i], snapshot.spare_slots[i]) << "round " << round;
    }
    ASSERT_LE(TimeLayer(loads, snapshot.cost, result.lends).layer_us(),
              TimeLayer(loads, snapshot.cost, {}).layer_us())
        << "round " << round;
  }
}

}  // namespace
}  // namespace balancemoe
