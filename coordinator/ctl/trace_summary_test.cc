#include "coordinator/ctl/trace_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/io/trace_reader.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::HasSubstr;

TEST(TraceSummaryTest, FiguresAreThoseOfTheCounts) {
  const auto trace = ParseTrace(
      "iteration,layer,e0,e1,e2,e3\n"
      // Two workers get 60 and 40 of 100, then 90 and 10.
      "5,0,50,10,40,0\n"
      "6,0,80,10,10,0\n"
      "6,2,0,0,0,0\n",
      "t.csv");
  ASSERT_THAT(trace, IsOk());

  const TraceSummary summary = SummariseTrace(*trace, 2);

  EXPECT_EQ(summary.iterations, 2);
  EXPECT_EQ(summary.first_iteration, 5);
  EXPECT_EQ(summary.last_iteration, 6);
  EXPECT_EQ(summary.layers, 2);
  EXPECT_EQ(summary.decisions, 3);
  EXPECT_EQ(summary.experts, 4);
  EXPECT_EQ(summary.ranks, 0);
  EXPECT_DOUBLE_EQ(summary.assignments_mean, 200.0 / 3);
  EXPECT_EQ(summary.assignments_min, 0);
  EXPECT_EQ(summary.assignments_max, 100);
  EXPECT_DOUBLE_EQ(summary.imbalance_mean, 1.5);
  EXPECT_DOUBLE_EQ(summary.imbalance_p50, 1.2);
  EXPECT_DOUBLE_EQ(summary.imbalance_p95, 1.8);
  EXPECT_DOUBLE_EQ(summary.imbalance_max, 1.8);
  EXPECT_DOUBLE_EQ(summary.hottest_expert_share_mean, 0.65);
  EXPECT_DOUBLE_EQ(summary.hottest_expert_share_max, 0.8);
  EXPECT_DOUBLE_EQ(summary.zero_load_share, 0.5);
  // Deviations from 25: (25, -15, 15, -25) and (55, -15, -15, -25).
  EXPECT_NEAR(summary.successive_correlation_mean,
              2000 / std::sqrt(1700.0 * 4100), 1e-12);
}

TEST(TraceSummaryTest, SourceRanksAreAddedUp) {
  const auto trace = ParseTrace(
      "iteration,layer,rank,e0,e1\n"
      "1,0,0,5,1\n"
      "1,0,1,4,2\n",
      "t.csv");
  ASSERT_THAT(trace, IsOk());

  const TraceSummary summary = SummariseTrace(*trace, 2);

  EXPECT_EQ(summary.ranks, 2);
  EXPECT_DOUBLE_EQ(summary.imbalance_mean, 1.5);
  EXPECT_DOUBLE_EQ(summary.successive_correlation_mean, 1);
}

TEST(TraceSummaryTest, JsonKeysAreTheDocumentedOnes) {
  const auto trace = ParseTrace("iteration,layer,e0,e1\n1,0,3,1\n", "t.csv");
  ASSERT_THAT(trace, IsOk());

  EXPECT_EQ(TraceSummaryJson(SummariseTrace(*trace, 2)).dump(),
            R"({"trace":"t.csv","iterations":1,"first_iteration":1,)"
            R"("last_iteration":1,"layers":1,"decisions":1,"experts":2,)"
            R"("ranks":0,"assignments_per_decision":)"
            R"({"mean":4.0,"min":4,"max":4},"workers":2,"imbalance":)"
            R"({"mean":1.5,"p50":1.5,"p95":1.5,"max":1.5},)"
            R"("hottest_expert_share":{"mean":0.75,"max":0.75},)"
            R"("successive_correlation":{"mean":1.0,"min":1.0},)"
            R"("zero_load_share":0.0})");
}

TEST(TraceSummaryTest, TextNamesEveryFigureWithItsUnit) {
  const auto trace = ParseTrace("iteration,layer,e0,e1\n1,0,3,1\n", "t.csv");
  ASSERT_THAT(trace, IsOk());

  const std::string text = TraceSummaryText(SummariseTrace(*trace, 2));

  EXPECT_THAT(text, HasSubstr("imbalance      1.50 mean, 1.50 p50, 1.50 p95, "
                              "1.50 max (busiest of 2 workers / mean)\n"));
  EXPECT_THAT(text, HasSubstr("hottest expert 75.0 % of a decision's "
                              "assignments, 75.0 % at most\n"));
}

}  // namespace
}  // namespace balancemoe::coordinator
