#include "worker/bench/train_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainBlock Block(const std::string& policy, const std::vector<double>& step_ms,
                 float loss) {
  TrainBlock block{policy, {}};
  for (const double ms : step_ms) {
    StepRecord step;
    step.loss = loss;
    step.step_ms = ms;
    step.workers.resize(1);
    LayerFigures layer;
    layer.layer_us = ms * 500;
    layer.expert_compute_us = ms;
    layer.tokens_computed = 1;
    step.layers = {layer};
    block.steps.push_back(step);
  }
  return block;
}

TEST(TrainBlocksTest, OrderRotatesFromRoundToRound) {
  TrainBenchOptions options;
  options.policies = {"a", "b", "c"};

  EXPECT_THAT(PoliciesOfRound(options, 0), ElementsAre("a", "b", "c"));
  EXPECT_THAT(PoliciesOfRound(options, 1), ElementsAre("b", "c", "a"));
  EXPECT_THAT(PoliciesOfRound(options, 3), ElementsAre("a", "b", "c"));
}

TEST(TrainBlocksTest, FiguresThatSomeBlocksLackAreThoseOfTheOthers) {
  TrainBlock planned = Block("adaptive", {10}, 1);
  planned.steps[0].layers[0].predicted_us = 2500;

  const auto report = BuildBenchReport(
      TrainOptions(), RunSummary(), {{planned}, {Block("adaptive", {10}, 1)}});
  EXPECT_DOUBLE_EQ(report["runs"][0]["predicted_over_measured"]["mean"], 0.5);
  EXPECT_EQ(report["runs"][0]["mode"], "hybrid");

  const auto other_order = BuildBenchReport(
      TrainOptions(), RunSummary(), {{Block("adaptive", {10}, 1)}, {planned}});
  EXPECT_DOUBLE_EQ(other_order["runs"][0]["predicted_over_measured"]["mean"],
                   0.5);

  const auto none = BuildBenchReport(TrainOptions(), RunSummary(),
                                     {{Block("adaptive", {10}, 1)}});
  EXPECT_TRUE(none["runs"][0]["predicted_over_measured"].is_null());
}

TEST(TrainBlocksTest, RatiosAreMediansOverRounds) {
  // 1.5, 2 and 1.25 times as fast as static.
  const auto report = BuildBenchReport(
      TrainOptions(), RunSummary(),
      {{Block("static", {60, 60, 600}, 1), Block("pairwise", {40, 10, 50}, 1),
        Block("balanced", {30, 30, 30}, 2)},
       {Block("pairwise", {40}, 1), Block("static", {80}, 1),
        Block("balanced", {20}, 2)},
       {Block("static", {50}, 1), Block("pairwise", {40}, 1),
        Block("balanced", {40}, 2)}});

  EXPECT_DOUBLE_EQ(report["speedup_over_static"]["pairwise"], 1.5);
  EXPECT_DOUBLE_EQ(report["speedup_over_static"]["static"], 1);
  EXPECT_DOUBLE_EQ(report["moe_layer_speedup_over_static"]["pairwise"], 1.5);
  EXPECT_DOUBLE_EQ(report["ratio_to_balanced"]["static"], 2);
  EXPECT_DOUBLE_EQ(report["runs"][0]["step_ms"]["p50"], 60);
  EXPECT_TRUE(report["paced"].is_null());
}

TEST(TrainBlocksTest, DifferentLossesNameThePolicies) {
  EXPECT_THAT(CheckLosses({Block("static", {1, 1}, 0.5),
                           Block("balanced", {1, 1}, 0.25),
                           Block("pairwise", {1, 1}, 0.5)}),
              IsOk());
  EXPECT_THAT(
      CheckLosses({Block("static", {1}, 0.5), Block("pairwise", {1}, 0.25)}),
      IsStatus(absl::StatusCode::kInternal,
               HasSubstr("static and pairwise differ")));
}

TEST(TrainBlocksTest, SplitExpertsMayRoundOtherwiseButNotMore) {
  EXPECT_THAT(CheckLosses({Block("static", {1}, 0.5F),
                           Block("ultraep", {1}, 0.50001F)}),
              IsOk());
  EXPECT_THAT(CheckLosses({Block("static", {1}, 0.5F),
                           Block("pairwise", {1}, 0.50001F)}),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT(
      CheckLosses({Block("static", {1}, 0.5F), Block("ultraep", {1}, 0.6F)}),
      HasCode(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace balancemoe::worker
