#include "common/planning/static_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace balancemoe {
namespace {

TEST(StaticPolicyTest, LendsNothingAndForecastsTheLayer) {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(2, 2);
  snapshot.tokens.MutableRow(WorkerRank(0))[0] = 3000;
  snapshot.tokens.MutableRow(WorkerRank(1))[1] = 1000;
  snapshot.home_of_expert = ContiguousPlacement(2, 2);
  snapshot.spare_slots = {4, 4};
  snapshot.cost = {.us_per_token = 1, .backward_factor = 2};

  const LayerPlan plan = StaticPolicy().Decide(snapshot);

  EXPECT_THAT(plan.lends, ::testing::IsEmpty());
  EXPECT_DOUBLE_EQ(plan.predicted_before_us, 9000);
  EXPECT_DOUBLE_EQ(plan.predicted_after_us, 9000);
  EXPECT_EQ(plan.reason,
            "no lends: the policy makes none; worker 0 is 1.50 times the mean; "
            "predicted 9.000 ms");
}

}  // namespace
}  // namespace balancemoe
