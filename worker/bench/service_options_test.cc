#include "worker/bench/service_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ServiceOptions> Parse(std::vector<std::string> arguments) {
  CLI::App app;
  ServiceOptions options;
  AddServiceFlags(app, options);
  // CLI11 takes arguments from the end.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  BMOE_RETURN_IF_ERROR(CompleteServiceOptions(options));
  return options;
}

TEST(ServiceOptionsTest, WithoutFlagsSixtyFourWorkersHaveAConnectionEach) {
  const auto options = Parse({});

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->job.workers, 64);
  EXPECT_EQ(options->connections, 64);
  EXPECT_EQ(options->job.policy.ToString(), "static@inline");
}

TEST(ServiceOptionsTest, FlagsArriveWhereTheyBelong) {
  const auto options =
      Parse({"--workers=8", "--connections=2", "--layers=3", "--experts=24",
             "--policy=pairwise", "--seconds=0.5", "-o", "json"});

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->job.workers, 8);
  EXPECT_EQ(options->connections, 2);
  EXPECT_EQ(options->job.layers, 3);
  EXPECT_EQ(options->job.experts, 24);
  EXPECT_EQ(options->job.policy.ToString(), "pairwise@inline");
  EXPECT_EQ(options->seconds, 0.5);
  EXPECT_EQ(options->output, "json");
}

struct WrongCase {
  std::string name;
  std::string argument;
  // In the message.
  std::string flag;
};

class WrongServiceOptionsTest : public ::testing::TestWithParam<WrongCase> {};

TEST_P(WrongServiceOptionsTest, TheMessageNamesTheFlag) {
  EXPECT_THAT(
      Parse({GetParam().argument}),
      IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().flag)));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongServiceOptionsTest,
    ::testing::Values(
        WrongCase{"NoWorkers", "--workers=0", "--workers"},
        WrongCase{"MoreConnectionsThanWorkers", "--connections=65",
                  "--connections"},
        WrongCase{"NoTime", "--seconds=0", "--seconds"},
        WrongCase{"UnknownPolicy", "--policy=astrology", "--policy"},
        WrongCase{"UnknownMode", "--policy=static@noon", "--policy"},
        WrongCase{"NoLayers", "--layers=0", "--layers"},
        WrongCase{"NoExperts", "--experts=0", "--experts"},
        WrongCase{"UnknownOutput", "--output=yaml", "--output"}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
