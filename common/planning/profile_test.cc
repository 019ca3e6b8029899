#include "common/planning/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

Profile Valid() {
  return {.name = "test",
          .hidden = 1000,
          .ffn = 4000,
          .gated = false,
          .dtype_bytes = 2,
          .optimizer_bytes_per_parameter = 12,
          .tflops = 100,
          .expert_launch_us = 8,
          .intra_node = {12, 400},
          .inter_node = {25, 50},
          .workers_per_node = 4,
          .overlap_slowdown = 1.05,
          .backward_factor = 2.5,
          .plan_latency_us = 300,
          .host_cpu_s_per_gb = 0.25,
          .watts = {700, 120}};
}

TEST(ValidateProfileTest, CompleteProfilePasses) {
  EXPECT_THAT(ValidateProfile(Valid()), IsOk());
}

TEST(ValidateProfileTest, WhatIsFreePasses) {
  Profile profile = Valid();
  profile.optimizer_bytes_per_parameter = 0;
  profile.expert_launch_us = 0;
  profile.intra_node.latency_us = 0;
  profile.inter_node.latency_us = 0;
  profile.overlap_slowdown = 1;
  profile.backward_factor = 0;
  profile.plan_latency_us = 0;
  profile.host_cpu_s_per_gb = 0;
  profile.watts = {};

  EXPECT_THAT(ValidateProfile(profile), IsOk());
}

struct WrongProfile {
  std::string name;
  std::function<void(Profile&)> spoil;
  std::string message;
};

class WrongProfileTest : public ::testing::TestWithParam<WrongProfile> {};

TEST_P(WrongProfileTest, IsRefusedWithTheReason) {
  Profile profile = Valid();
  GetParam().spoil(profile);

  EXPECT_THAT(ValidateProfile(profile),
              IsStatus(absl::StatusCode::kInvalidArgument, GetParam().message));
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    Each, WrongProfileTest,
    ::testing::Values(
        WrongProfile{"Nameless", [](Profile& p) { p.name.clear(); },
                     "name is empty; it names the profile"},
        WrongProfile{"Hidden", [](Profile& p) { p.hidden = 0; },
                     "hidden is 0; it must be a number > 0"},
        WrongProfile{"Ffn", [](Profile& p) { p.ffn = -4; },
                     "ffn is -4; it must be a number > 0"},
        WrongProfile{"DtypeBytes", [](Profile& p) { p.dtype_bytes = 0; },
                     "dtype_bytes is 0; it must be a number > 0"},
        WrongProfile{
            "OptimizerBytes",
            [](Profile& p) { p.optimizer_bytes_per_parameter = -1; },
            "optimizer_bytes_per_parameter is -1; it must be a number >= 0"},
        WrongProfile{"Tflops", [](Profile& p) { p.tflops = 0; },
                     "tflops is 0; it must be a number > 0"},
        WrongProfile{"TflopsThatAreNoNumber",
                     [](Profile& p) { p.tflops = kNan; },
                     "tflops is nan; it must be a number > 0"},
        WrongProfile{"Launch", [](Profile& p) { p.expert_launch_us = -0.5; },
                     "expert_launch_us is -0.5; it must be a number >= 0"},
        WrongProfile{"IntraLatency",
                     [](Profile& p) { p.intra_node.latency_us = -1; },
                     "intra_node.latency_us is -1; it must be a number >= 0"},
        WrongProfile{"IntraBandwidth",
                     [](Profile& p) { p.intra_node.gb_per_s = 0; },
                     "intra_node.gb_per_s is 0; it must be a number > 0"},
        WrongProfile{"InterLatency",
                     [](Profile& p) { p.inter_node.latency_us = kNan; },
                     "inter_node.latency_us is nan; it must be a number >= 0"},
        WrongProfile{"InterBandwidth",
                     [](Profile& p) { p.inter_node.gb_per_s = -3; },
                     "inter_node.gb_per_s is -3; it must be a number > 0"},
        WrongProfile{"WorkersPerNode",
                     [](Profile& p) { p.workers_per_node = 0; },
                     "workers_per_node is 0; it must be a number > 0"},
        WrongProfile{"Slowdown", [](Profile& p) { p.overlap_slowdown = 0.9; },
                     "overlap_slowdown is 0.9; it must be a number >= 1"},
        WrongProfile{"Backward", [](Profile& p) { p.backward_factor = -1; },
                     "backward_factor is -1; it must be a number >= 0"},
        WrongProfile{"PlanLatency", [](Profile& p) { p.plan_latency_us = -1; },
                     "plan_latency_us is -1; it must be a number >= 0"},
        WrongProfile{"HostCpu", [](Profile& p) { p.host_cpu_s_per_gb = -1; },
                     "host_cpu_s_per_gb is -1; it must be a number >= 0"},
        WrongProfile{"WattsBusy", [](Profile& p) { p.watts.busy = -1; },
                     "watts.busy is -1; it must be a number >= 0"},
        WrongProfile{"WattsIdle",
                     [](Profile& p) {
                       p.watts.idle = std::numeric_limits<double>::infinity();
                     },
                     "watts.idle is inf; it must be a number >= 0"},
        WrongProfile{"WiderThanAnyModel",
                     [](Profile& p) { p.hidden = int64_t{1} << 25; },
                     "hidden is 33554432; it must be a number <= 16777216"},
        WrongProfile{"MoreBytesThanAnyType",
                     [](Profile& p) { p.dtype_bytes = 17; },
                     "dtype_bytes is 17; it must be a number <= 16"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(CostModelOfTest, FollowsFromTheModelAndTheMachine) {
  const CostModel cost = CostModelOf(Valid());

  EXPECT_THAT(ValidateCostModel(cost), IsOk());
  EXPECT_DOUBLE_EQ(cost.expert_launch_us, 8);
  // 2 * 8,000,000 operations per token at 1e8 per microsecond.
  EXPECT_DOUBLE_EQ(cost.us_per_token, 0.16);
  EXPECT_DOUBLE_EQ(cost.backward_factor, 2.5);
  EXPECT_DOUBLE_EQ(cost.intra_node.latency_us, 12);
  // 400 GB/s are 400,000 bytes per microsecond.
  EXPECT_DOUBLE_EQ(cost.intra_node.us_per_byte, 2.5e-6);
  EXPECT_DOUBLE_EQ(cost.inter_node.latency_us, 25);
  EXPECT_DOUBLE_EQ(cost.inter_node.us_per_byte, 2e-5);
  EXPECT_DOUBLE_EQ(cost.overlap_slowdown, 1.05);
  // A quarter of a second per 1e9 bytes.
  EXPECT_DOUBLE_EQ(cost.host_cpu_us_per_byte, 2.5e-4);
  EXPECT_EQ(cost.expert_bytes, 16'000'000);
  EXPECT_EQ(cost.token_bytes, 2000);
  EXPECT_EQ(cost.optimizer_bytes, 96'000'000);
  EXPECT_DOUBLE_EQ(cost.plan_latency_us, 300);
}

TEST(CostModelOfTest, GatedExpertsHaveAThirdMatrix) {
  Profile profile = Valid();
  profile.gated = true;

  EXPECT_EQ(profile.parameters_per_expert(), 12'000'000);
  EXPECT_DOUBLE_EQ(CostModelOf(profile).us_per_token, 0.24);
  EXPECT_EQ(CostModelOf(profile).expert_bytes, 24'000'000);
}

TEST(CostModelOfTest, WidestModelStaysWithinBounds) {
  Profile profile = Valid();
  profile.gated = true;
  profile.hidden = int64_t{1} << 24;
  profile.ffn = int64_t{1} << 24;
  profile.dtype_bytes = 16;
  profile.optimizer_bytes_per_parameter = 64;

  ASSERT_THAT(ValidateProfile(profile), IsOk());
  EXPECT_THAT(ValidateCostModel(CostModelOf(profile)), IsOk());
  EXPECT_EQ(CostModelOf(profile).optimizer_bytes, int64_t{192} << 48);
}

TEST(NodesOfTest, ConsecutiveRanksShareANode) {
  EXPECT_THAT(NodesOf(Valid(), 10), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 2, 2));
  EXPECT_THAT(NodesOf(Valid(), 2), ElementsAre(0, 0));
}

}  // namespace
}  // namespace balancemoe
