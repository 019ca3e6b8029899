#include "common/planning/fastermoe_paper_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Worker 0 has 160 tokens, worker 1 has 30; a token counts 3 us.
LayerSnapshot FourExperts(int64_t expert_bytes) {
  LayerSnapshot snapshot =
      SmallSnapshot({{60, 30, 10, 5}, {40, 30, 10, 5}}, {0, 0, 1, 1});
  snapshot.cost.intra_node.us_per_byte = 1;
  snapshot.cost.expert_bytes = expert_bytes;
  return snapshot;
}

TEST(FasterMoePaperPolicyTest, ShadowsAllExpertsOfTheBusiestWorkers) {
  // 480 us; 300 + 40 without worker 0's experts; 315 + 80 without any.
  const LayerPlan plan = FasterMoePaperPolicy().Decide(FourExperts(10));

  EXPECT_THAT(plan.lends,
              ElementsAre(LendOf(0, 0, 1, 40), LendOf(1, 0, 1, 30)));
  EXPECT_FALSE(plan.searched);
}

TEST(FasterMoePaperPolicyTest, DearBroadcastsArePutOff) {
  // 300 + 400 is more than 480.
  const LayerPlan plan = FasterMoePaperPolicy().Decide(FourExperts(100));

  EXPECT_THAT(plan.lends, IsEmpty());
  EXPECT_EQ(plan.reason,
            "no lends: worker 0 is 1.68 times the mean, but no broadcast pays "
            "by the shadowing rule; predicted 0.480 ms");
}

TEST(FasterMoePaperPolicyTest, NeedsSlotsForAllExpertsOfAWorker) {
  LayerSnapshot snapshot = FourExperts(10);
  snapshot.spare_slots = {4, 1};

  EXPECT_THAT(FasterMoePaperPolicy().Decide(snapshot).lends, IsEmpty());
}

}  // namespace
}  // namespace balancemoe
