#include "worker/train/measured_profile.h"

#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

constexpr ProfileFacts kFacts = {
    .name = "", .hidden = 256, .ffn = 1024, .workers_per_node = 2};

TEST(MeasuredProfileTest, ItsCostModelIsTheOneThatWasMeasured) {
  const CostModel measured = {.expert_launch_us = 12,
                              .us_per_token = 25,
                              .backward_factor = 1.75,
                              .intra_node = {80, 5e-4},
                              .inter_node = {90, 1e-3},
                              .overlap_slowdown = 1.125,
                              .host_cpu_us_per_byte = 2.5e-4,
                              .expert_bytes = 2 * 256 * 1024 * 4,
                              .token_bytes = 1024,
                              .optimizer_bytes = 2 * 256 * 1024 * 8,
                              .plan_latency_us = 310};
  ProfileFacts facts = kFacts;
  facts.name = "here";

  const Profile profile = ProfileFrom(measured, facts);

  EXPECT_THAT(ValidateProfile(profile), IsOk());
  EXPECT_EQ(profile.name, "here");
  EXPECT_EQ(profile.workers_per_node, 2);
  const CostModel back = CostModelOf(profile);
  EXPECT_DOUBLE_EQ(back.us_per_token, 25);
  EXPECT_DOUBLE_EQ(back.intra_node.us_per_byte, 5e-4);
  EXPECT_DOUBLE_EQ(back.inter_node.us_per_byte, 1e-3);
  EXPECT_DOUBLE_EQ(back.host_cpu_us_per_byte, 2.5e-4);
  EXPECT_EQ(back.intra_node.latency_us, 80);
  EXPECT_EQ(back.expert_bytes, measured.expert_bytes);
  EXPECT_EQ(back.token_bytes, measured.token_bytes);
  EXPECT_EQ(back.optimizer_bytes, measured.optimizer_bytes);
  EXPECT_EQ(back.plan_latency_us, 310);
}

TEST(MeasuredProfileTest, LinkWithoutAPriceIsFastButFinite) {
  ProfileFacts facts = kFacts;
  facts.name = "here";

  const Profile profile = ProfileFrom({.us_per_token = 1}, facts);

  EXPECT_THAT(ValidateProfile(profile), IsOk());
  EXPECT_DOUBLE_EQ(profile.intra_node.gb_per_s, 1e6);
}

}  // namespace
}  // namespace balancemoe::worker
