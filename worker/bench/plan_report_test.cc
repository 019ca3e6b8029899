#include "worker/bench/plan_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

const PolicyChoice kChoice = {"adaptive", "hybrid"};
constexpr PlanFigures kFigures = {.size = {8, 64},
                                  .solve_us = {1.5, 2},
                                  .from_scratch_us = {30, 40},
                                  .split_us = {5, 6}};

TEST(PlanReportTest, OneSizeIsTheWholeObject) {
  EXPECT_EQ(BuildPlanReport(kChoice, {kFigures}).dump(),
            R"({"policy":"adaptive@hybrid","workers":8,"experts":64,)"
            R"("solve_us":{"p50":1.5,"p99":2.0},)"
            R"("from_scratch_us":{"p50":30.0,"p99":40.0},)"
            R"("split_us":{"p50":5.0,"p99":6.0}})");
}

TEST(PlanReportTest, SeveralSizesAreRows) {
  const auto report = BuildPlanReport(kChoice, {kFigures, kFigures});

  ASSERT_EQ(report.at("rows").size(), 2u);
  EXPECT_EQ(report.at("rows")[1], BuildPlanReport(kChoice, {kFigures}));
}

TEST(PlanReportTest, TableNamesThePolicyAndHasARowForEachSize) {
  const std::string table = PlanTable(kChoice, {kFigures});

  EXPECT_THAT(table, HasSubstr("adaptive@hybrid"));
  EXPECT_THAT(table, HasSubstr("40.0"));
}

}  // namespace
}  // namespace balancemoe::worker
