#include "worker/bench/plan_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "common/fake_clock.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

Profile TestProfile() {
  return {.name = "test",
          .hidden = 1024,
          .ffn = 2048,
          .dtype_bytes = 2,
          .optimizer_bytes_per_parameter = 12,
          .tflops = 100,
          .expert_launch_us = 5,
          .intra_node = {.latency_us = 5, .gb_per_s = 400},
          .inter_node = {.latency_us = 10, .gb_per_s = 50},
          .workers_per_node = 4,
          .watts = {}};
}

class PlanStepsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(PlanStepsTest, EveryPlanOfEveryPolicyIsValid) {
  const auto choice = ParsePolicyChoice(GetParam());
  ASSERT_THAT(choice, IsOk());
  const SteadyClock clock;
  PlanSteps steps({8, 16}, *choice, TestProfile(), clock);

  for (int step = 0; step < 5; ++step) {
    const auto times = steps.Next();

    ASSERT_THAT(times, IsOk());
    EXPECT_GT(times->solve_us, 0);
    EXPECT_GT(times->from_scratch_us, 0);
    EXPECT_GT(times->split_us, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlanStepsTest, ::testing::ValuesIn(PolicyNames()),
                         [](const auto& test_case) {
                           std::string name = test_case.param;
                           std::erase(name, '-');
                           return name;
                         });

// Nothing can be kept that was not put in place, with its ratio.
TEST(PlanStepsTest, WhatOnePlanPutsInPlaceTheNextFindsThere) {
  const FakeClock clock;
  PlanSteps steps({8, 16}, {"adaptive", "ahead"}, TestProfile(), clock);

  int kept = 0;
  for (int step = 0; step < 20; ++step) {
    ASSERT_THAT(steps.Next(), IsOk());
    if (absl::StrContains(steps.plan().reason, "kept")) ++kept;
  }

  EXPECT_GT(kept, 0);
}

}  // namespace
}  // namespace balancemoe::worker
