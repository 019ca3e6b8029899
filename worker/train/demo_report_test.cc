#include "worker/train/demo_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

nlohmann::ordered_json RunOf(const std::string& policy, double step_ms,
                             const std::string& loss_sha256) {
  return {{"policy", policy},
          {"steps", 10},
          {"loss_sha256", loss_sha256},
          {"step_ms", {{"p50", step_ms}}},
          {"moe_layer_ms", {{"p50", step_ms / 2}}},
          {"imbalance", {{"mean", 1.25}}},
          {"lends", 20},
          {"exposed_transfer_ms", {{"mean", 0.5}}},
          {"tokens_per_s", 4096}};
}

TEST(DemoReportTest, ComparesEveryRunWithTheStaticOne) {
  const auto joined =
      JoinReports({RunOf("pairwise", 40, "a"), RunOf("static", 60, "a"),
                   RunOf("other", 80, "b")});

  EXPECT_EQ(joined["runs"].size(), 3u);
  EXPECT_DOUBLE_EQ(joined["speedup_over_static"]["pairwise"], 1.5);
  EXPECT_DOUBLE_EQ(joined["speedup_over_static"]["static"], 1);
  EXPECT_EQ(joined["losses_identical"]["pairwise"], true);
  EXPECT_EQ(joined["losses_identical"]["other"], false);
}

TEST(DemoReportTest, WithoutAStaticRunThereIsNothingToCompareWith) {
  const auto joined = JoinReports({RunOf("pairwise", 40, "a")});

  EXPECT_TRUE(joined["speedup_over_static"].empty());
  EXPECT_TRUE(joined["losses_identical"].empty());
}

TEST(DemoReportTest, TableSaysWhetherLossesAreIdentical) {
  const std::string table = DemoTable(
      JoinReports({RunOf("static", 60, "a"), RunOf("pairwise", 40, "a")}));

  EXPECT_THAT(table, HasSubstr("identical"));
  EXPECT_THAT(table, HasSubstr("1.50 times the speed of static"));
  EXPECT_THAT(DemoTable(JoinReports(
                  {RunOf("static", 60, "a"), RunOf("pairwise", 40, "b")})),
              HasSubstr("DIFFERENT"));
}

}  // namespace
}  // namespace balancemoe::worker
