#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/benchmark/bench_program.h"

namespace balancemoe {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ServiceBenchTest, PrintsOneJsonObjectWithTheKeysOfTheDocumentation) {
  const BenchResult result =
      RunBench("service --workers 4 --seconds 1 -o json");

  ASSERT_EQ(result.exit_code, 0) << result.standard_error;
  const auto report = nlohmann::json::parse(result.standard_output);
  EXPECT_EQ(report.at("workers"), 4);
  EXPECT_EQ(report.at("connections"), 4);
  for (const char* const server : {"coordinator_us", "echo_us"}) {
    EXPECT_GT(report.at(server).at("p50"), 0);
    EXPECT_GE(report.at(server).at("p99"), report.at(server).at("p50"));
  }
  EXPECT_GT(report.at("ratio_p50"), 0);
  EXPECT_GT(report.at("coordinator_processor_us_per_round"), 0);
  EXPECT_GT(report.at("echo_processor_us_per_round"), 0);
  EXPECT_GT(report.at("rounds"), 0);
}

TEST(ServiceBenchTest, ChecksThePlansOfSeveralLayersAndOfPairwise) {
  const BenchResult result = RunBench(
      "service --workers 6 --connections 2 --layers 3 --experts 24 "
      "--policy pairwise --seconds 0.2");

  EXPECT_EQ(result.exit_code, 0) << result.standard_error;
  EXPECT_THAT(result.standard_output, HasSubstr("ratio of p50"));
  EXPECT_THAT(result.standard_error, HasSubstr("pairwise@inline"));
}

TEST(ServiceBenchTest, AWrongFlagEndsItWithTwoAndIsNamed) {
  const BenchResult result = RunBench("service --workers 4 --connections 5");

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.standard_error, HasSubstr("--connections"));
  EXPECT_THAT(result.standard_output, IsEmpty());
}

TEST(ServiceBenchTest, AnUnknownPolicyEndsItWithTwoAndIsNamed) {
  const BenchResult result = RunBench("service --policy astrology");

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.standard_error, HasSubstr("--policy"));
}

TEST(ServiceBenchTest, HelpNamesEveryFlagWithItsDefault) {
  const BenchResult result = RunBench("service --help");

  EXPECT_EQ(result.exit_code, 0);
  for (const char* const flag :
       {"--workers", "--connections", "--seconds", "--policy", "--layers",
        "--experts", "--output"}) {
    EXPECT_THAT(result.standard_output, HasSubstr(flag));
  }
  EXPECT_THAT(result.standard_output, HasSubstr("=64"));
}

}  // namespace
}  // namespace balancemoe
