#include "common/planning/overlap_knapsack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

KnapsackItem Own(int64_t tokens) {
  return {.tokens = tokens, .compute_us = static_cast<double>(tokens)};
}

KnapsackItem Foreign(int64_t tokens, double transfer_us) {
  return {.tokens = tokens,
          .compute_us = static_cast<double>(tokens),
          .transfer_us = transfer_us};
}

TEST(ChooseItemsTest, OwnComputeHidesATransfer) {
  // 10 + 50, hidden, is more than 60 with 5 of waiting.
  EXPECT_THAT(ChooseItems({Own(10), Foreign(60, 5), Foreign(50, 5)}, 60),
              ElementsAre(true, false, true));
}

TEST(ChooseItemsTest, TransferThatTakesLongerThanComputeIsLeft) {
  EXPECT_THAT(ChooseItems({Foreign(10, 10), Foreign(11, 10)}, 100),
              ElementsAre(false, true));
}

TEST(ChooseItemsTest, OwnItemsWithoutTokensAreLeftToo) {
  EXPECT_THAT(ChooseItems({Own(0), Own(5)}, 5), ElementsAre(false, true));
}

TEST(ChooseItemsTest, AtMostThirtyTwoFit) {
  const std::vector<bool> taken =
      ChooseItems(std::vector<KnapsackItem>(40, Own(1)), 100);

  EXPECT_EQ(std::count(taken.begin(), taken.end(), true), 32);
}

// Whole tokens would need a table of a hundred million columns.
TEST(ChooseItemsTest, LargeLoadsAreCountedInCoarserUnits) {
  EXPECT_THAT(ChooseItems({Own(30'000'000), Own(60'000'000), Own(10'000'000)},
                          100'000'000 - 5'000'000),
              ElementsAre(true, true, false));
}

}  // namespace
}  // namespace balancemoe
