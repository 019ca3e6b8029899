#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/benchmark/bench_program.h"

namespace balancemoe {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PlanBenchTest, PrintsOneJsonObjectWithTheKeysOfTheDocumentation) {
  const BenchResult result =
      RunBench("plan --workers 4 --experts 8 --plans 20 -o json");

  ASSERT_EQ(result.exit_code, 0) << result.standard_error;
  const auto report = nlohmann::json::parse(result.standard_output);
  EXPECT_EQ(report.at("policy"), "adaptive@hybrid");
  EXPECT_EQ(report.at("workers"), 4);
  EXPECT_EQ(report.at("experts"), 8);
  for (const char* const call : {"solve_us", "from_scratch_us", "split_us"}) {
    EXPECT_GT(report.at(call).at("p50"), 0);
    EXPECT_GE(report.at(call).at("p99"), report.at(call).at("p50"));
  }
}

TEST(PlanBenchTest, EveryPolicyThatReplayKnowsCanBeTimed) {
  const BenchResult result = RunBench(
      "plan --workers 4 --experts 8 --plans 3 --policy fastermoe-paper");

  EXPECT_EQ(result.exit_code, 0) << result.standard_error;
  EXPECT_THAT(result.standard_output, HasSubstr("fastermoe-paper@inline"));
  EXPECT_THAT(result.standard_output, HasSubstr("from scratch"));
}

TEST(PlanBenchTest, AWrongFlagEndsItWithTwoAndIsNamed) {
  const BenchResult result = RunBench("plan --workers 4");

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.standard_error, HasSubstr("--experts"));
  EXPECT_THAT(result.standard_output, IsEmpty());
}

}  // namespace
}  // namespace balancemoe
