#include "worker/bench/service_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

nlohmann::ordered_json MakeReport() {
  const ServiceJob job = {.workers = 4,
                          .layers = 2,
                          .experts = 16,
                          .policy = *ParsePolicyChoice("static")};
  return BuildServiceReport(
      job, /*connections=*/2,
      {.coordinator = {.round_us = {30, 10, 20}, .processor_us = 45},
       .echo = {.round_us = {10, 16, 40}, .processor_us = 30},
       .plan_bytes = 99});
}

TEST(ServiceReportTest, QuantilesRatioAndProcessorTimeAreThoseOfTheRounds) {
  const auto report = MakeReport();

  EXPECT_EQ(report["coordinator_us"], R"({"p50": 20.0, "p99": 30.0})"_json);
  EXPECT_EQ(report["echo_us"], R"({"p50": 16.0, "p99": 40.0})"_json);
  EXPECT_EQ(report["ratio_p50"], 1.25);
  EXPECT_EQ(report["coordinator_processor_us_per_round"], 15);
  EXPECT_EQ(report["echo_processor_us_per_round"], 10);
}

TEST(ServiceReportTest, WhatWasMeasuredIsNamed) {
  const auto report = MakeReport();

  EXPECT_EQ(report["workers"], 4);
  EXPECT_EQ(report["connections"], 2);
  EXPECT_EQ(report["layers"], 2);
  EXPECT_EQ(report["experts"], 16);
  EXPECT_EQ(report["policy"], "static@inline");
  EXPECT_EQ(report["plan_bytes"], 99);
  EXPECT_EQ(report["rounds"], 3);
}

TEST(ServiceReportTest, TheTableShowsTheRatio) {
  EXPECT_THAT(ServiceTable(MakeReport()),
              HasSubstr("ratio of p50: 1.25, over 3 rounds of 4 workers on 2 "
                        "connections"));
}

}  // namespace
}  // namespace balancemoe::worker
