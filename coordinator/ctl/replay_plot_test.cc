#include "coordinator/ctl/replay_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

PolicyReplay Policy(const std::string& name, double layer_time_us,
                    const std::vector<double>& imbalances) {
  PolicyReplay policy;
  policy.policy = name;
  policy.layer_time_mean_us = layer_time_us;
  int64_t iteration = 0;
  for (const double imbalance : imbalances) {
    policy.points.push_back({.iteration = Iteration(iteration++),
                             .imbalance = imbalance,
                             .layer_time_us = layer_time_us});
  }
  return policy;
}

ReplayReport TwoPolicies() {
  ReplayReport report;
  report.trace = "dir/it's.csv";
  report.iterations = 3;
  report.layers = 2;
  report.experts = 8;
  report.workers = 4;
  report.mode = "native";
  report.profile = "h200-nvlink";
  report.lower_bound_mean_us = 400;
  report.balanced_mean_us = 450;
  report.policies = {Policy("static", 1200, {2, 3, 2.5}),
                     Policy("pairwise", 600, {1.5, 1.25, 1.5})};
  return report;
}

TEST(ReplayPlotTest, TitleSaysWhatWasReplayed) {
  EXPECT_THAT(
      ReplayPlotScript(TwoPolicies(), "a.svg"),
      AllOf(HasSubstr("'Replay of it''s.csv'"),
            HasSubstr("'3 iterations, 2 layers, 8 experts on 4 workers; "
                      "profile h200-nvlink, mode native'")));
}

TEST(ReplayPlotTest, LinesAndBarsHaveEachPolicysFigures) {
  EXPECT_THAT(
      ReplayPlotScript(TwoPolicies(), "a.svg"),
      AllOf(HasSubstr("$imbalance0 << END\n0 2\n1 3\n2 2.5\nEND\n"),
            HasSubstr("$imbalance1 << END\n0 1.5\n1 1.25\n2 1.5\nEND\n"),
            HasSubstr("0 1.2 \"static\" 0x7f7f7f \"1.20 ms\\n3.00x\"\n"),
            HasSubstr("1 0.6 \"pairwise\" 0x0072b2 \"0.600 ms\\n1.50x\"\n"),
            HasSubstr("\"lower bound\\n0.400 ms\""),
            HasSubstr("\"balanced\\n0.450 ms\"")));
}

TEST(ReplayPlotTest, EndOfTheNameDecidesTheFormat) {
  EXPECT_THAT(ReplayPlotScript(TwoPolicies(), "a.svg"),
              HasSubstr("set terminal svg"));
  EXPECT_THAT(ReplayPlotScript(TwoPolicies(), "a.png"),
              HasSubstr("set terminal pngcairo"));
  EXPECT_THAT(ValidatePlotPath("a.png"), IsOk());
  EXPECT_THAT(ValidatePlotPath("a.pdf"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "'a.pdf' ends in neither .svg nor .png"));
}

TEST(ReplayPlotTest, WideRangeGetsALogarithmicAxis) {
  ReplayReport report = TwoPolicies();
  EXPECT_THAT(ReplayPlotScript(report, "a.svg"),
              Not(HasSubstr("set logscale y")));

  report.policies[0].points[0].imbalance = 11;

  EXPECT_THAT(ReplayPlotScript(report, "a.svg"), HasSubstr("set logscale y"));
}

TEST(ReplayPlotTest, LongReplaysShareAPointAmongIterations) {
  ReplayReport report = TwoPolicies();
  report.policies = {Policy("static", 1200, std::vector<double>(2001, 2.0))};

  EXPECT_THAT(ReplayPlotScript(report, "a.svg"),
              AllOf(HasSubstr("<< END\n1 2\n4 2\n"),
                    HasSubstr("'iteration (means over 3)'")));
}

TEST(ReplayPlotTest, OneIterationAndNoImbalanceStillHaveAxes) {
  ReplayReport report = TwoPolicies();
  report.policies = {Policy("static", 1200, {1})};

  EXPECT_THAT(
      ReplayPlotScript(report, "a.svg"),
      AllOf(HasSubstr("set xrange [-1:1]"), HasSubstr("set yrange [1:1.105]")));
}

}  // namespace
}  // namespace balancemoe::coordinator
