#include "common/planning/fastermoe_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A token counts 3 us and a broadcast 100 us.
LayerSnapshot FourExperts() {
  LayerSnapshot snapshot =
      SmallSnapshot({{60, 30, 10, 5}, {40, 30, 10, 5}}, {0, 0, 1, 1});
  snapshot.cost.intra_node.us_per_byte = 1;
  snapshot.cost.expert_bytes = 100;
  return snapshot;
}

TEST(FasterMoePolicyTest,
     ShadowsWhileTheNextLargestExpertAndBroadcastsTakeLess) {
  // 300 us; 180 + 100 without expert 0; 60 + 200 without expert 1 either;
  // 30 + 300 would be more.
  const LayerPlan plan = FasterMoePolicy().Decide(FourExperts());

  EXPECT_THAT(plan.lends,
              ElementsAre(LendOf(0, 0, 1, 40), LendOf(1, 0, 1, 30)));
  EXPECT_EQ(plan.split, SplitRule::kExact);
  EXPECT_EQ(plan.fan_out, FanOut::kCheapest);
  EXPECT_FALSE(plan.searched);
}

TEST(FasterMoePolicyTest, PlanCarriesItsForecastAndReason) {
  // Forward: worker 1 computes 30 at home, 40 from 100 us on and 30 from 200
  // us on. Backward: expert 1's gradient leaves at 60 us, expert 0's follows at
  // 160 us.
  const LayerPlan plan = FasterMoePolicy().Decide(FourExperts());

  EXPECT_DOUBLE_EQ(plan.predicted_before_us, 480);
  EXPECT_DOUBLE_EQ(plan.predicted_after_us, 230 + 260);
  EXPECT_EQ(
      plan.reason,
      "2 lends: worker 0 was 1.68 times the mean, now worker 1 is busiest "
      "with 1.05; predicted 0.480 -> 0.490 ms");
}

TEST(FasterMoePolicyTest, AShadowGoesToAllInTheOrderOfExperts) {
  LayerSnapshot snapshot = SmallSnapshot({{4, 50}, {0, 30}, {4, 70}}, {0, 1});
  snapshot.cost.intra_node.us_per_byte = 1;
  snapshot.cost.expert_bytes = 10;

  EXPECT_THAT(FasterMoePolicy().Decide(snapshot).lends,
              ElementsAre(LendOf(1, 1, 0, 50), LendOf(1, 1, 2, 70)));
}

TEST(FasterMoePolicyTest, PricesAreThoseOfTheSlowestLinkOfTheGroup) {
  LayerSnapshot snapshot = FourExperts();
  snapshot.cost.inter_node.us_per_byte = 2;
  snapshot.node_of_worker = {0, 1};

  // 180 + 200 is more than 300.
  const LayerPlan plan = FasterMoePolicy().Decide(snapshot);

  EXPECT_THAT(plan.lends, IsEmpty());
  EXPECT_EQ(plan.reason,
            "no lends: worker 0 is 1.68 times the mean, but no broadcast pays "
            "by the shadowing rule; predicted 0.480 ms");
}

TEST(FasterMoePolicyTest, ExchangesCountFourTimes) {
  LayerSnapshot snapshot = FourExperts();
  // 24 us more for each token.
  snapshot.cost.token_bytes = 6;

  EXPECT_THAT(FasterMoePolicy().Decide(snapshot).lends,
              ElementsAre(LendOf(0, 0, 1, 40), LendOf(1, 0, 1, 30),
                          LendOf(2, 1, 0, 10)));
}

TEST(FasterMoePolicyTest, StopsWhereAWorkerHasNoSlot) {
  LayerSnapshot snapshot = FourExperts();
  snapshot.spare_slots = {4, 1};

  EXPECT_THAT(FasterMoePolicy().Decide(snapshot).lends,
              ElementsAre(LendOf(0, 0, 1, 40)));
}

}  // namespace
}  // namespace balancemoe
