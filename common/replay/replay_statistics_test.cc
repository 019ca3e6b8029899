#include "common/replay/replay_statistics.h"

#include <gtest/gtest.h>

namespace balancemoe {
namespace {

TEST(ReplayStatisticsTest, OneDecisionIsItsOwnMean) {
  ReplayStatistics statistics;
  statistics.Add(Iteration(3),
                 {.moves = 1,
                  .new_lends = 2,
                  .renewals = 3,
                  .bytes = 4,
                  .layer_us = 5,
                  .exposed_transfer_us = 6,
                  .peak_tokens = 7,
                  .peak_memory_bytes = 8,
                  .imbalance = 1.5,
                  .energy_j = 9,
                  .solve_us = 10},
                 100);

  const PolicyReplay summary = statistics.Summary();

  EXPECT_DOUBLE_EQ(summary.moves_per_decision, 1);
  EXPECT_DOUBLE_EQ(summary.lends_per_decision, 2);
  EXPECT_DOUBLE_EQ(summary.renewals_per_decision, 3);
  EXPECT_DOUBLE_EQ(summary.bytes_per_decision, 4);
  EXPECT_DOUBLE_EQ(summary.layer_time_mean_us, 5);
  EXPECT_DOUBLE_EQ(summary.layer_time_p95_us, 5);
  EXPECT_DOUBLE_EQ(summary.exposed_transfer_mean_us, 6);
  EXPECT_DOUBLE_EQ(summary.peak_tokens_mean, 7);
  EXPECT_EQ(summary.peak_tokens_max, 7);
  EXPECT_DOUBLE_EQ(summary.peak_memory_mean_bytes, 8);
  EXPECT_EQ(summary.peak_memory_max_bytes, 8);
  EXPECT_DOUBLE_EQ(summary.imbalance.mean, 1.5);
  EXPECT_DOUBLE_EQ(summary.imbalance.p50, 1.5);
  EXPECT_DOUBLE_EQ(summary.imbalance.token_weighted_mean, 1.5);
  EXPECT_DOUBLE_EQ(summary.energy_j_per_iteration, 9);
  EXPECT_DOUBLE_EQ(summary.solve_p50_us, 10);
  EXPECT_DOUBLE_EQ(summary.solve_p99_us, 10);
}

TEST(ReplayStatisticsTest, QuantilesAreTheValuesOfTheNearestRank) {
  ReplayStatistics statistics;
  for (int i = 100; i > 0; --i) {
    statistics.Add(Iteration(101 - i),
                   {.layer_us = 10.0 * i,
                    .peak_tokens = i,
                    .imbalance = 1 + i / 100.0,
                    .solve_us = 2.0 * i},
                   1);
  }

  const PolicyReplay summary = statistics.Summary();

  EXPECT_DOUBLE_EQ(summary.imbalance.p50, 1.5);
  EXPECT_DOUBLE_EQ(summary.imbalance.p95, 1.95);
  EXPECT_DOUBLE_EQ(summary.imbalance.max, 2);
  EXPECT_DOUBLE_EQ(summary.layer_time_mean_us, 505);
  EXPECT_DOUBLE_EQ(summary.layer_time_p95_us, 950);
  EXPECT_DOUBLE_EQ(summary.peak_tokens_mean, 50.5);
  EXPECT_EQ(summary.peak_tokens_max, 100);
  EXPECT_DOUBLE_EQ(summary.solve_p50_us, 100);
  EXPECT_DOUBLE_EQ(summary.solve_p99_us, 198);
}

TEST(ReplayStatisticsTest, ImbalanceIsAlsoWeightedByTokens) {
  ReplayStatistics statistics;
  statistics.Add(Iteration(1), {.imbalance = 1}, 300);
  statistics.Add(Iteration(1), {.imbalance = 3}, 100);
  // Counts in the mean, and weighs nothing.
  statistics.Add(Iteration(1), {.imbalance = 1}, 0);

  const PolicyReplay summary = statistics.Summary();

  EXPECT_DOUBLE_EQ(summary.imbalance.mean, 5.0 / 3);
  EXPECT_DOUBLE_EQ(summary.imbalance.token_weighted_mean, 1.5);
}

TEST(ReplayStatisticsTest, WithoutTokensTheLoadIsBalanced) {
  ReplayStatistics statistics;
  statistics.Add(Iteration(1), {.imbalance = 1}, 0);

  EXPECT_DOUBLE_EQ(statistics.Summary().imbalance.token_weighted_mean, 1);
}

TEST(ReplayStatisticsTest, LayersOfAnIterationMakeOnePoint) {
  ReplayStatistics statistics;
  statistics.Add(Iteration(4), {.layer_us = 10, .imbalance = 1, .energy_j = 1},
                 1);
  statistics.Add(Iteration(4), {.layer_us = 30, .imbalance = 2, .energy_j = 2},
                 1);
  statistics.Add(Iteration(6), {.layer_us = 50, .imbalance = 4, .energy_j = 7},
                 1);

  const PolicyReplay summary = statistics.Summary();

  ASSERT_EQ(summary.points.size(), 2U);
  EXPECT_EQ(summary.points[0].iteration, Iteration(4));
  EXPECT_DOUBLE_EQ(summary.points[0].imbalance, 1.5);
  EXPECT_DOUBLE_EQ(summary.points[0].layer_time_us, 20);
  EXPECT_EQ(summary.points[1].iteration, Iteration(6));
  EXPECT_DOUBLE_EQ(summary.points[1].imbalance, 4);
  EXPECT_DOUBLE_EQ(summary.points[1].layer_time_us, 50);
  EXPECT_DOUBLE_EQ(summary.energy_j_per_iteration, 5);
}

}  // namespace
}  // namespace balancemoe
