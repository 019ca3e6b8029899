#include "common/planning/ultraep_policy.h"

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

struct UltraEpCase {
  std::string name;
  LayerSnapshot snapshot;
  std::vector<Lend> lends;
};

class UltraEpPolicyTest : public testing::TestWithParam<UltraEpCase> {};

TEST_P(UltraEpPolicyTest, Lends) {
  EXPECT_EQ(UltraEpPolicy().Decide(GetParam().snapshot).lends,
            GetParam().lends);
}

INSTANTIATE_TEST_SUITE_P(
    Table, UltraEpPolicyTest,
    testing::Values(
        // The mean is 400, the threshold 404.
        UltraEpCase{"ExcessIsExported",
                    SmallSnapshot(2, {600, 200}, {0, 1}),
                    {LendOf(0, 0, 1, 196)}},
        // Threshold 202: 298 go first to worker 2, which lacks 192, then to
        // worker 1, which lacks 112.
        UltraEpCase{"MostSlackFirst",
                    SmallSnapshot(3, {500, 90, 10}, {0, 1, 2}),
                    {LendOf(0, 0, 1, 106), LendOf(0, 0, 2, 192)}},
        UltraEpCase{"LargestExpertFirst",
                    SmallSnapshot(2, {100, 500, 200}, {0, 0, 1}),
                    {LendOf(1, 0, 1, 196)}},
        // One slot takes one expert of 100 and no more: 300 is the lowest
        // threshold.
        UltraEpCase{
            "ThresholdRisesUntilAllExcessFindsAPlace",
            WithSlots(SmallSnapshot(2, {100, 100, 100, 100}, {0, 0, 0, 0}),
                      {1, 1}),
            {LendOf(0, 0, 1, 100)}},
        // Three experts would have to go to reach 202; two may.
        UltraEpCase{
            "TwoSlotsPerWorkerAreUsedOfMore",
            WithSlots(SmallSnapshot(2, {80, 80, 80, 80, 80}, {0, 0, 0, 0, 0}),
                      {4, 4}),
            {LendOf(0, 0, 1, 80), LendOf(1, 0, 1, 80)}},
        UltraEpCase{
            "OnePercentIsTolerated", SmallSnapshot(2, {404, 396}, {0, 1}), {}},
        UltraEpCase{"WithoutSlotsAllStay",
                    WithSlots(SmallSnapshot(2, {600, 200}, {0, 1}), {2, 0}),
                    {}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(UltraEpTest, FirstTestCostsLessThanASearch) {
  EXPECT_TRUE(
      UltraEpPolicy().Decide(SmallSnapshot(2, {405, 395}, {0, 1})).searched);

  const LayerPlan plan =
      UltraEpPolicy().Decide(SmallSnapshot(2, {404, 396}, {0, 1}));

  EXPECT_FALSE(plan.searched);
  EXPECT_EQ(plan.reason,
            "no lends: worker 0 is 1.01 times the mean, but 1.01 times is "
            "tolerated; predicted 1.212 ms");
}

}  // namespace
}  // namespace balancemoe
