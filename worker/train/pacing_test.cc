#include "worker/train/pacing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

TEST(PacingTest, NoneWithoutAProfile) {
  const auto pacing = PacingOf(TrainOptions());
  ASSERT_THAT(pacing, IsOk());
  EXPECT_FALSE(pacing->has_value());
}

TEST(PacingTest, UnknownProfileIsRefused) {
  TrainOptions options;
  options.pace = "h100-nvlink";
  EXPECT_THAT(PacingOf(options),
              IsStatus(absl::StatusCode::kNotFound, HasSubstr("--pace: ")));
}

TEST(PacingTest, WorkersFillTheProfilesNodesInTheirOrder) {
  TrainOptions options;
  options.pace = "v100-pcie-100g";
  const auto pacing = PacingOf(options);
  ASSERT_THAT(pacing, IsOk());

  EXPECT_EQ(PacedNode(**pacing, WorkerRank(3)), 0);
  EXPECT_EQ(PacedNode(**pacing, WorkerRank(4)), 1);
  EXPECT_GT(PacedExchangeUsPerToken(**pacing, LinkClass::kInterNode),
            PacedExchangeUsPerToken(**pacing, LinkClass::kIntraNode));
}

// Whatever a layer does here takes `scale` times what it takes there.
TEST(PacingTest, TimesAreThoseOfTheProfileInSlowMotion) {
  TrainOptions options;
  options.pace = "h200-nvlink";
  options.pace_scale = 100;
  options.pace_tokens = 16;
  const auto pacing = PacingOf(options);
  ASSERT_THAT(pacing, IsOk());
  const CostModel there = CostModelOf((*pacing)->profile);
  constexpr int64_t kBytesHere = 17'000;
  const CostModel here = PacedCostModel(**pacing, kBytesHere);

  const auto expert_us = [](const CostModel& cost, double tokens) {
    return cost.expert_launch_us + cost.us_per_token * tokens;
  };
  EXPECT_DOUBLE_EQ(expert_us(here, 50), 100 * expert_us(there, 16 * 50));
  const auto transfer_us = [](const CostModel& cost, int64_t bytes) {
    return cost.intra_node.latency_us +
           cost.intra_node.us_per_byte * static_cast<double>(bytes);
  };
  EXPECT_DOUBLE_EQ(transfer_us(here, kBytesHere),
                   100 * transfer_us(there, there.expert_bytes));
  EXPECT_DOUBLE_EQ(
      here.intra_node.latency_us +
          50 * PacedExchangeUsPerToken(**pacing, LinkClass::kIntraNode),
      100 * transfer_us(there, 16 * 50 * there.token_bytes));
  // The forecast's, in whole bytes, is a little less or more.
  EXPECT_NEAR(transfer_us(here, 50 * here.token_bytes) /
                  (100 * transfer_us(there, 16 * 50 * there.token_bytes)),
              1, 0.05);
  EXPECT_NEAR(transfer_us(here, here.optimizer_bytes) /
                  (100 * transfer_us(there, there.optimizer_bytes)),
              1, 1e-3);
  EXPECT_DOUBLE_EQ(here.plan_latency_us, 100 * there.plan_latency_us);
  EXPECT_EQ(here.expert_bytes, kBytesHere);
}

}  // namespace
}  // namespace balancemoe::worker
