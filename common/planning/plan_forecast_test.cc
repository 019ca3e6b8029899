#include "common/planning/plan_forecast.h"

#include <gtest/gtest.h>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

// 100 tokens on worker 0 of four; a transfer takes 8 us.
LayerSnapshot HotExpert() {
  LayerSnapshot snapshot = SmallSnapshot(4, {100}, {0});
  snapshot.cost.intra_node.us_per_byte = 1;
  snapshot.cost.expert_bytes = 8;
  return snapshot;
}

LayerPlan Forecast(const LayerSnapshot& snapshot, TransferStart start,
                   LayerPlan plan) {
  ForecastPlan(snapshot, KnownLoads(snapshot), start, {"lends", "none pays"},
               plan);
  return plan;
}

TEST(ForecastPlanTest, ReasonForNothingNamesTheBusiestWorker) {
  const LayerPlan plan =
      Forecast(HotExpert(), TransferStart::kWithLayer, LayerPlan());

  EXPECT_DOUBLE_EQ(plan.predicted_before_us, 300);
  EXPECT_DOUBLE_EQ(plan.predicted_after_us, 300);
  EXPECT_EQ(plan.reason,
            "no lends: worker 0 is 4.00 times the mean, but none pays; "
            "predicted 0.300 ms");
}

TEST(ForecastPlanTest, MovesAndLendsAreCounted) {
  LayerPlan plan;
  plan.moves = {MoveOf(0, 0, 2)};
  plan.lends = {LendOf(0, 2, 1, 50)};

  // Worker 2 starts at 8 us; to worker 1 the copy leaves at the same time, from
  // another lane.
  EXPECT_EQ(Forecast(HotExpert(), TransferStart::kWithLayer, plan).reason,
            "1 move, 1 lend: worker 0 was 4.00 times the mean, now worker 1 is "
            "busiest with 2.00; predicted 0.300 -> 0.166 ms");
}

TEST(ForecastPlanTest, EarlyTransfersAreThereWhenTheLayerBegins) {
  LayerPlan plan;
  plan.lends = {LendOf(0, 0, 1, 50)};

  EXPECT_DOUBLE_EQ(
      Forecast(HotExpert(), TransferStart::kWithLayer, plan).predicted_after_us,
      58 + 108);
  EXPECT_DOUBLE_EQ(
      Forecast(HotExpert(), TransferStart::kEarly, plan).predicted_after_us,
      50 + 108);
}

TEST(ForecastPlanTest, OneByOneTakesTurnsWhereARelayDoesNot) {
  LayerPlan plan;
  plan.lends = {LendOf(0, 0, 1, 25), LendOf(0, 0, 2, 25), LendOf(0, 0, 3, 25)};

  // Without latency a relay reaches all in the time of one.
  EXPECT_DOUBLE_EQ(
      Forecast(HotExpert(), TransferStart::kWithLayer, plan).predicted_after_us,
      33 + 58);
  plan.fan_out = FanOut::kOneByOne;
  // The last copy comes at 24 us; gradients leave at 50 us and take turns.
  EXPECT_DOUBLE_EQ(
      Forecast(HotExpert(), TransferStart::kWithLayer, plan).predicted_after_us,
      49 + 74);
}

TEST(ForecastPlanTest, SharesAreResolved) {
  LayerPlan plan;
  plan.split = SplitRule::kShares;
  plan.lends = {LendOf(0, 0, 1, kShareUnit / 4)};

  EXPECT_DOUBLE_EQ(
      Forecast(HotExpert(), TransferStart::kEarly, plan).predicted_after_us,
      75 + 150);
}

}  // namespace
}  // namespace balancemoe
