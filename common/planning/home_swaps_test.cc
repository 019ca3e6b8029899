#include "common/planning/home_swaps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(HomeSwapsTest, HotExpertOfTheHeavyNodeChangesPlacesWithAColdOne) {
  LayerSnapshot snapshot =
      SmallSnapshot(4, {80, 80, 10, 10, 5, 5, 5, 5}, {0, 1, 0, 1, 2, 2, 3, 3});
  snapshot.node_of_worker = {0, 0, 1, 1};

  // 180 against 20: a swap of 80 and 5 leaves 105 and 95.
  EXPECT_THAT(BalanceNodes(KnownLoads(snapshot), 1),
              UnorderedElementsAre(MoveOf(0, 0, 2), MoveOf(4, 2, 0)));
}

TEST(HomeSwapsTest, LevelNodesStay) {
  LayerSnapshot snapshot = SmallSnapshot(4, {80, 10, 10, 80}, {0, 1, 2, 3});
  snapshot.node_of_worker = {0, 0, 1, 1};

  EXPECT_THAT(BalanceNodes(KnownLoads(snapshot), 4), IsEmpty());
}

TEST(HomeSwapsTest, OneNodeHasNothingToSwap) {
  EXPECT_THAT(BalanceNodes(KnownLoads(SmallSnapshot(2, {80, 1}, {0, 1})), 4),
              IsEmpty());
}

TEST(HomeSwapsTest, ExpertsWithoutReplicasAreSpreadOverWorkers) {
  // Expert 0 is copied everywhere, so only the others count: 40 on worker 0
  // and 3 on worker 1; 20 against 2 leaves 22 and 21.
  const LayerSnapshot snapshot =
      SmallSnapshot(2, {100, 20, 20, 1, 2}, {0, 0, 0, 1, 1});
  const std::vector<Replica> replicas = {{ExpertId(0), WorkerRank(1)}};

  EXPECT_THAT(BalanceArrivals(KnownLoads(snapshot), replicas, 4),
              UnorderedElementsAre(MoveOf(1, 0, 1), MoveOf(4, 1, 0)));
}

TEST(HomeSwapsTest, SwapsEndWithTheNumberThatIsAllowed) {
  const LayerSnapshot snapshot =
      SmallSnapshot(2, {50, 50, 50, 50, 1, 1, 1, 1}, {0, 0, 0, 0, 1, 1, 1, 1});

  EXPECT_THAT(BalanceArrivals(KnownLoads(snapshot), {}, 0), IsEmpty());
  EXPECT_EQ(BalanceArrivals(KnownLoads(snapshot), {}, 1).size(), 2U);
  EXPECT_EQ(BalanceArrivals(KnownLoads(snapshot), {}, 9).size(), 4U);
}

}  // namespace
}  // namespace balancemoe
