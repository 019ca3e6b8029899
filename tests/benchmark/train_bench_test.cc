#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/benchmark/bench_program.h"

namespace balancemoe {
namespace {

using ::testing::HasSubstr;

constexpr char kSmall[] =
    "train --workers 2 --blocks 2 --block-steps 1 --settle-steps 1 --batch 2 "
    "--seq 32 --hidden 32 --ffn 64 --heads 2 --imbalance 1.6 ";

// The bench itself refuses to report policies whose losses differ.
TEST(TrainBenchTest, PrintsOneJsonObjectWithTheKeysOfTheDocumentation) {
  const BenchResult result =
      RunBench(std::string(kSmall) +
               "--policies static,smartmoe,adaptive,balanced -o json");

  ASSERT_EQ(result.exit_code, 0) << result.standard_error;
  const auto report = nlohmann::json::parse(result.standard_output);
  ASSERT_EQ(report.at("runs").size(), 4u);
  for (const auto& run : report.at("runs")) {
    EXPECT_GT(run.at("step_ms").at("p50"), 0);
    EXPECT_GT(run.at("moe_layer_ms").at("p50"), 0);
  }
  for (const char* const policy :
       {"static", "smartmoe", "adaptive", "balanced"}) {
    EXPECT_GT(report.at("speedup_over_static").at(policy), 0);
    EXPECT_GT(report.at("ratio_to_balanced").at(policy), 0);
  }
  EXPECT_EQ(report.at("speedup_over_static").at("static"), 1);
  EXPECT_TRUE(report.at("paced").is_null());
}

TEST(TrainBenchTest, AnUnknownPolicyEndsItWithTwoAndIsNamed) {
  const BenchResult result =
      RunBench(std::string(kSmall) + "--policies static,astrology");

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.standard_error, HasSubstr("astrology"));
}

}  // namespace
}  // namespace balancemoe
