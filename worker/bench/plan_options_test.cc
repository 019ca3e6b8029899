#include "worker/bench/plan_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<PlanOptions> Parse(std::vector<std::string> arguments) {
  CLI::App app;
  PlanOptions options;
  AddPlanFlags(app, options);
  // CLI11 takes arguments from the end.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  BMOE_RETURN_IF_ERROR(CompletePlanOptions(options));
  return options;
}

TEST(PlanOptionsTest, WithoutFlagsAdaptivePlansThreeSizes) {
  const auto options = Parse({});

  ASSERT_THAT(options, IsOk());
  EXPECT_THAT(options->sizes, ElementsAre(PlanSize{8, 64}, PlanSize{64, 256},
                                          PlanSize{1024, 1024}));
  EXPECT_EQ(options->choice.ToString(), "adaptive@hybrid");
  EXPECT_EQ(options->plans, 1000);
}

TEST(PlanOptionsTest, OneSizeTakesThePlaceOfTheThree) {
  const auto options = Parse({"--workers=4", "--experts=12", "--plans=5",
                              "--policy=ultraep", "-o", "json"});

  ASSERT_THAT(options, IsOk());
  EXPECT_THAT(options->sizes, ElementsAre(PlanSize{4, 12}));
  EXPECT_EQ(options->choice.ToString(), "ultraep@inline");
  EXPECT_EQ(options->plans, 5);
  EXPECT_EQ(options->output, "json");
}

struct WrongCase {
  std::string name;
  std::string argument;
  // In the message.
  std::string flag;
};

class WrongPlanOptionsTest : public ::testing::TestWithParam<WrongCase> {};

TEST_P(WrongPlanOptionsTest, TheMessageNamesTheFlag) {
  EXPECT_THAT(
      Parse({GetParam().argument}),
      IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().flag)));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongPlanOptionsTest,
    ::testing::Values(
        WrongCase{"NoWorkers", "--workers=0", "--workers"},
        WrongCase{"WorkersAlone", "--workers=8", "--experts"},
        WrongCase{"ExpertsAlone", "--experts=8", "--workers"},
        WrongCase{"NoPlans", "--plans=0", "--plans"},
        WrongCase{"UnknownPolicy", "--policy=astrology", "--policy"},
        WrongCase{"UnknownMode", "--policy=adaptive@noon", "--policy"},
        WrongCase{"UnknownOutput", "--output=xml", "--output"}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
