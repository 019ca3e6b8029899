#include "common/planning/pairwise_moves_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PairwiseMovesPolicyTest, LastingTransferBalancesAPair) {
  const LayerPlan plan = PairwiseMovesPolicy().Decide(
      SmallSnapshot(2, {6000, 2000, 4000}, {0, 0, 1}));

  EXPECT_THAT(plan.moves, ElementsAre(MoveOf(1, 0, 1)));
  EXPECT_THAT(plan.lends, IsEmpty());
  EXPECT_EQ(plan.reason,
            "1 move: worker 0 was 1.33 times the mean, now 1.00; predicted "
            "24.000 -> 18.000 ms");
}

TEST(PairwiseMovesPolicyTest, NoGradientReturnsButOptimizerStateFollows) {
  LayerSnapshot snapshot = SmallSnapshot(2, {60, 20, 40}, {0, 0, 1});
  snapshot.cost.intra_node.us_per_byte = 1;
  snapshot.cost.expert_bytes = 30;
  snapshot.cost.optimizer_bytes = 150;

  // The state arrives with the end of the layer, at 180 us.
  EXPECT_DOUBLE_EQ(PairwiseMovesPolicy().Decide(snapshot).predicted_after_us,
                   180);
}

TEST(PairwiseMovesPolicyTest, StateThatOutlastsTheLayerStays) {
  LayerSnapshot snapshot = SmallSnapshot(2, {60, 20, 40}, {0, 0, 1});
  snapshot.cost.intra_node.us_per_byte = 1;
  snapshot.cost.optimizer_bytes = 240;

  const LayerPlan plan = PairwiseMovesPolicy().Decide(snapshot);

  EXPECT_THAT(plan.moves, IsEmpty());
  EXPECT_EQ(plan.reason,
            "no moves: worker 0 is 1.33 times the mean, but no move within "
            "pairs of workers makes the layer faster; predicted 0.240 ms");
}

TEST(PairwiseMovesPolicyTest, BalancedLayerStays) {
  EXPECT_THAT(
      PairwiseMovesPolicy().Decide(SmallSnapshot(2, {60, 60}, {0, 1})).moves,
      IsEmpty());
}

}  // namespace
}  // namespace balancemoe
