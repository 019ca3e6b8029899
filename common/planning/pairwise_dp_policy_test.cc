#include "common/planning/pairwise_dp_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Transfers count twice their 2.5 us.
LayerSnapshot Snapshot(int32_t workers, const std::vector<int64_t>& tokens,
                       const std::vector<int32_t>& homes) {
  LayerSnapshot snapshot = SmallSnapshot(workers, tokens, homes);
  snapshot.cost.intra_node.latency_us = 2.5;
  return snapshot;
}

TEST(PairwiseDpPolicyTest, LightWorkerGetsHalfOfThePairsTokens) {
  const LayerPlan plan =
      PairwiseDpPolicy().Decide(Snapshot(2, {60, 50, 10}, {0, 0, 1}));

  EXPECT_THAT(plan.moves, ElementsAre(MoveOf(1, 0, 1)));
  EXPECT_EQ(plan.reason.substr(0, 55),
            "1 move: worker 0 was 1.83 times the mean, now 1.00; pre");
}

TEST(PairwiseDpPolicyTest, ExpertWithoutTokensLeavesTheLightWorker) {
  EXPECT_THAT(PairwiseDpPolicy()
                  .Decide(Snapshot(2, {60, 50, 10, 0}, {0, 0, 1, 1}))
                  .moves,
              ElementsAre(MoveOf(1, 0, 1), MoveOf(3, 1, 0)));
}

TEST(PairwiseDpPolicyTest, OfThreeWorkersTheMiddleOneStaysOut) {
  // Loads 110, 20 and 10.
  EXPECT_THAT(PairwiseDpPolicy()
                  .Decide(Snapshot(3, {60, 50, 20, 10}, {0, 0, 1, 2}))
                  .moves,
              ElementsAre(MoveOf(1, 0, 2)));
}

TEST(PairwiseDpPolicyTest, NoTokensNoMoves) {
  EXPECT_THAT(PairwiseDpPolicy().Decide(Snapshot(2, {0, 0}, {0, 1})).moves,
              IsEmpty());
}

}  // namespace
}  // namespace balancemoe
