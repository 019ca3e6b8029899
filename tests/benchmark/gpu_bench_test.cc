#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/benchmark/bench_program.h"

namespace balancemoe {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(GpuBenchTest, EveryWayGivesTheSameOnProcessorsToo) {
  const BenchResult result = RunBench(
      "gpu --device cpu --hidden 64 --ffn 96 --experts 3 --tokens 100 --rounds "
      "2 -o json");

  ASSERT_EQ(result.exit_code, 0) << result.standard_error;
  const auto report = nlohmann::json::parse(result.standard_output);
  ASSERT_EQ(report.at("rows").size(), 3u);
  EXPECT_EQ(report.at("rows")[0].at("kernels"), "loop");
  EXPECT_EQ(report.at("rows")[1].at("kernels"), "grouped");
  EXPECT_EQ(report.at("rows")[2].at("kernels"), "grouped-bf16");
  for (const auto& row : report.at("rows")) EXPECT_GT(row.at("ms"), 0);
  EXPECT_EQ(report.at("rows")[0].at("difference"), 0);
  EXPECT_LT(report.at("rows")[1].at("difference"), 1e-4);
  // That it is bf16.
  EXPECT_GT(report.at("rows")[2].at("difference"), 1e-4);
}

TEST(GpuBenchTest, AWrongWidthEndsItWithTwoAndIsNamed) {
  const BenchResult result = RunBench("gpu --device cpu --ffn 100");

  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.standard_error, HasSubstr("--ffn 100"));
  EXPECT_THAT(result.standard_output, IsEmpty());
}

}  // namespace
}  // namespace balancemoe
