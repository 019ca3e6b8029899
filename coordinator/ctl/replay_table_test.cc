#include "coordinator/ctl/replay_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace balancemoe::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ReplayReport OnePolicy() {
  PolicyReplay policy;
  policy.policy = "pairwise";
  policy.mode = "inline";
  policy.imbalance = {.mean = 1.9, .p95 = 2.5};
  policy.lends_per_decision = 3.25;
  policy.moves_per_decision = 0.5;
  policy.layer_time_mean_us = 3000;
  policy.exposed_transfer_mean_us = 150;
  policy.speedup_over_static = 1.4;
  policy.peak_memory_max_bytes = int64_t{3} << 30;
  policy.energy_j_per_iteration = 512.25;
  ReplayReport report;
  report.trace = "t.csv";
  report.iterations = 2;
  report.layers = 3;
  report.experts = 8;
  report.workers = 4;
  report.mode = "native";
  report.profile = "h200-nvlink";
  report.lower_bound_mean_us = 1500;
  report.balanced_mean_us = 1610;
  report.policies = {policy};
  return report;
}

TEST(ReplayTableTest, ShowsBoundsAboveARowPerPolicy) {
  EXPECT_THAT(
      ReplayTable(OnePolicy()),
      StartsWith(
          "t.csv: 2 iterations, 3 layers, 8 experts on 4 workers\n"
          "profile h200-nvlink, mode native\n"
          "\n"
          "lower bound      1500.0 us  compute spread evenly, nothing sent\n"
          "balanced         1610.0 us  a uniform load, its all-to-all "
          "included\n"
          "\n"
          "policy    mode    imbalance             lends      moves  layer "
          "time  x bound  speed-up  exposed  peak memory       energy\n"
          "                       mean    p95  /decision  /decision          "
          "us           x static        %          GiB  J/iteration\n"
          "pairwise  inline      1.900  2.500       3.25       0.50      "
          "3000.0     2.00      1.40      5.0         3.00        512.2\n"
          "\n"
          "A decision is one layer of one iteration; "));
}

TEST(ReplayTableTest, LongTimesAreInMilliseconds) {
  ReplayReport report = OnePolicy();
  report.policies[0].layer_time_mean_us = 23'450;

  const std::string table = ReplayTable(report);

  EXPECT_THAT(table, HasSubstr("lower bound         1.5 ms"));
  EXPECT_THAT(table, HasSubstr("23.4"));
}

}  // namespace
}  // namespace balancemoe::coordinator
