#include "common/planning/llep_policy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

LayerSnapshot WithSlots(LayerSnapshot snapshot, std::vector<int32_t> slots) {
  snapshot.spare_slots = std::move(slots);
  return snapshot;
}

struct LlepCase {
  std::string name;
  LayerSnapshot snapshot;
  std::vector<Lend> lends;
};

class LlepPolicyTest : public testing::TestWithParam<LlepCase> {};

TEST_P(LlepPolicyTest, Lends) {
  EXPECT_EQ(LlepPolicy().Decide(GetParam().snapshot).lends, GetParam().lends);
}

// Means are 4,000.
INSTANTIATE_TEST_SUITE_P(
    Table, LlepPolicyTest,
    testing::Values(
        LlepCase{"ExcessOfTheHotExpertSpillsOver",
                 SmallSnapshot(2, {6000, 2000}, {0, 1}),
                 {LendOf(0, 0, 1, 2000)}},
        // Home keeps its small expert, and of the hot one what fits beside it.
        LlepCase{"SmallExpertsStay",
                 SmallSnapshot(2, {5000, 1500, 1500}, {0, 0, 1}),
                 {LendOf(0, 0, 1, 2500)}},
        // 1,100 fill worker 2; the last 900 finish the expert on worker 1.
        LlepCase{"LeastLoadedFirst",
                 SmallSnapshot(3, {6000, 3100, 2900}, {0, 1, 2}),
                 {LendOf(0, 0, 1, 900), LendOf(0, 0, 2, 1100)}},
        // The 1,000 that fit on worker 2 are too small a chunk; what it gets
        // too much, its own expert gives away.
        LlepCase{"RestThatWouldNeedASmallChunkGoesTogether",
                 SmallSnapshot(4, {7000, 3100, 3000, 2900}, {0, 1, 2, 3}),
                 {LendOf(0, 0, 2, 1900), LendOf(0, 0, 3, 1100),
                  LendOf(2, 2, 1, 900)}},
        LlepCase{"UnderThirtyPercentIsLeftAlone",
                 SmallSnapshot(2, {5199, 2801}, {0, 1}),
                 {}},
        LlepCase{"WithoutSlotsHomeKeepsTheRest",
                 WithSlots(SmallSnapshot(3, {6000, 3100, 2900}, {0, 1, 2}),
                           {1, 0, 1}),
                 {LendOf(0, 0, 2, 1100)}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(LlepTest, FirstTestCostsLessThanASearch) {
  EXPECT_TRUE(
      LlepPolicy().Decide(SmallSnapshot(2, {5200, 2800}, {0, 1})).searched);

  const LayerPlan plan =
      LlepPolicy().Decide(SmallSnapshot(2, {5199, 2801}, {0, 1}));

  EXPECT_FALSE(plan.searched);
  EXPECT_EQ(
      plan.reason,
      "no lends: worker 0 is 1.30 times the mean, but under 1.30 times is "
      "tolerated; predicted 15.597 ms");
}

TEST(LlepTest, WeightsTravelFromHomeToEach) {
  EXPECT_EQ(LlepPolicy().Decide(SmallSnapshot(2, {6000, 2000}, {0, 1})).fan_out,
            FanOut::kOneByOne);
}

}  // namespace
}  // namespace balancemoe
