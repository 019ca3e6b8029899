#include "worker/train/demo_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

nlohmann::ordered_json RunOf(const std::string& policy, double step_ms,
                             float last_loss) {
  return {{"policy", policy},
          {"steps", 2},
          {"loss", {4.0F, last_loss}},
          {"loss_sha256", last_loss},
          {"step_ms", {{"p50", step_ms}}},
          {"moe_layer_ms", {{"p50", step_ms / 2}}},
          {"imbalance", {{"mean", 1.25}}},
          {"lends", 20},
          {"exposed_transfer_ms", {{"mean", 0.5}}},
          {"tokens_per_s", 4096}};
}

TEST(DemoReportTest, ComparesEveryRunWithTheStaticOne) {
  const auto joined =
      JoinReports({RunOf("pairwise", 40, 2), RunOf("static", 60, 2),
                   RunOf("ultraep", 80, 2.5F)});

  EXPECT_EQ(joined["runs"].size(), 3u);
  EXPECT_DOUBLE_EQ(joined["speedup_over_static"]["pairwise"], 1.5);
  EXPECT_DOUBLE_EQ(joined["speedup_over_static"]["static"], 1);
  EXPECT_EQ(joined["losses_identical"]["pairwise"], true);
  EXPECT_EQ(joined["losses_identical"]["ultraep"], false);
  EXPECT_DOUBLE_EQ(joined["losses_max_relative_difference"]["ultraep"], 0.25);
}

TEST(DemoReportTest, WithoutAStaticRunThereIsNothingToCompareWith) {
  const auto joined = JoinReports({RunOf("pairwise", 40, 2)});

  EXPECT_TRUE(joined["speedup_over_static"].empty());
  EXPECT_TRUE(joined["losses_identical"].empty());
  EXPECT_TRUE(LossesAsPromised("pairwise", joined));
}

TEST(DemoReportTest, TableSaysWhetherLossesAreIdentical) {
  const std::string table = DemoTable(
      JoinReports({RunOf("static", 60, 2), RunOf("pairwise", 40, 2)}));

  EXPECT_THAT(table, HasSubstr("identical"));
  EXPECT_THAT(table, HasSubstr("1.50 times the speed of static"));
  EXPECT_THAT(DemoTable(JoinReports(
                  {RunOf("static", 60, 2), RunOf("pairwise", 40, 2.001F)})),
              HasSubstr("DIFFERENT"));
}

TEST(DemoReportTest, SplitExpertsMayRoundOtherwiseButNotMore) {
  const auto near =
      JoinReports({RunOf("static", 60, 2), RunOf("adaptive", 40, 2.001F)});
  const auto far =
      JoinReports({RunOf("static", 60, 2), RunOf("adaptive", 40, 2.5F)});

  EXPECT_TRUE(LossesAsPromised("adaptive", near));
  EXPECT_THAT(DemoTable(near), HasSubstr("within 5e-04"));
  EXPECT_FALSE(LossesAsPromised("adaptive", far));
  EXPECT_THAT(DemoTable(far), HasSubstr("DIFFERENT"));
}

}  // namespace
}  // namespace balancemoe::worker
