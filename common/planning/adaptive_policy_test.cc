#include "common/planning/adaptive_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

AdaptivePolicy Adaptive(const std::string& mode) {
  return AdaptivePolicy({"adaptive", mode}, {});
}

// What the layer looked like in the last iteration, from all workers evenly.
LayerSnapshot Past(int32_t workers, std::vector<int64_t> tokens,
                   const std::vector<int32_t>& homes) {
  LayerSnapshot snapshot = SmallSnapshot(workers, tokens, homes);
  snapshot.tokens = LoadMatrix();
  snapshot.history = {{Iteration(0), std::move(tokens)}};
  return snapshot;
}

LayerSnapshot After(LayerSnapshot snapshot, const LayerPlan& plan) {
  snapshot.home_of_expert = HomesAfter(snapshot.home_of_expert, plan.moves);
  snapshot.replicas.clear();
  for (const Lend& lend : plan.lends) {
    snapshot.replicas.push_back({lend.expert, lend.to});
  }
  std::sort(snapshot.replicas.begin(), snapshot.replicas.end());
  snapshot.planned_ratio = plan.planned_ratio;
  return snapshot;
}

TEST(AdaptivePolicyTest, SplitsAnExpertThatNoWorkerCanCarryAlone) {
  const LayerPlan plan =
      Adaptive("hybrid").Decide(Past(2, {3000, 500, 500}, {0, 1, 1}));

  EXPECT_THAT(plan.lends, ElementsAre(LendOf(0, 0, 1, 0)));
  EXPECT_EQ(plan.split, SplitRule::kMinMax);
  EXPECT_DOUBLE_EQ(plan.predicted_before_us, 9000);
  EXPECT_DOUBLE_EQ(plan.predicted_after_us, 6000);
  EXPECT_DOUBLE_EQ(plan.planned_ratio, 1);
  EXPECT_EQ(plan.reason,
            "1 replicas and 0 moves, found anew: worker 0 is 1.50 times the "
            "mean at home; predicted 9.000 -> 6.000 ms");
}

TEST(AdaptivePolicyTest, BalancedLoadGetsNothing) {
  for (const char* mode : {"hybrid", "ahead"}) {
    const LayerPlan plan =
        Adaptive(mode).Decide(Past(2, {1000, 1000, 1000, 1000}, {0, 0, 1, 1}));

    EXPECT_THAT(plan.lends, IsEmpty());
    EXPECT_THAT(plan.moves, IsEmpty());
  }
  const LayerPlan plan =
      Adaptive("inline").Decide(SmallSnapshot(2, {1000, 1000}, {0, 1}));
  EXPECT_THAT(plan.lends, IsEmpty());
  EXPECT_FALSE(plan.searched);
}

TEST(AdaptivePolicyTest, WhatServesIsKept) {
  const LayerSnapshot before = Past(2, {3000, 500, 500}, {0, 1, 1});
  LayerSnapshot snapshot = After(before, Adaptive("hybrid").Decide(before));
  // Another load, which the same replica splits as evenly.
  snapshot.history = {{Iteration(1), {3600, 500, 500}}};

  const LayerPlan plan = Adaptive("hybrid").Decide(snapshot);

  EXPECT_THAT(plan.lends, ElementsAre(LendOf(0, 0, 1, 0)));
  EXPECT_THAT(plan.reason, HasSubstr("kept"));
}

TEST(AdaptivePolicyTest, WhatServesNoLongerIsReplaced) {
  const LayerSnapshot before = Past(2, {3000, 500, 500}, {0, 1, 1});
  LayerSnapshot snapshot = After(before, Adaptive("hybrid").Decide(before));
  snapshot.history = {{Iteration(1), {500, 3000, 500}}};

  const LayerPlan plan = Adaptive("hybrid").Decide(snapshot);

  EXPECT_THAT(plan.lends, ElementsAre(LendOf(1, 1, 0, 0)));
}

TEST(AdaptivePolicyTest, InlineSplitsTheExactCounts) {
  const LayerPlan plan =
      Adaptive("inline").Decide(SmallSnapshot(2, {3000, 500, 500}, {0, 1, 1}));

  EXPECT_THAT(plan.lends, ElementsAre(LendOf(0, 0, 1, 1000)));
  EXPECT_EQ(plan.split, SplitRule::kExact);
}

TEST(AdaptivePolicyTest, CopiesThatCostMoreThanTheySaveAreNotMade) {
  LayerSnapshot snapshot = Past(2, {3000, 500, 500}, {0, 1, 1});
  snapshot.cost.expert_bytes = 1'000'000;
  snapshot.cost.intra_node.us_per_byte = 1;

  EXPECT_THAT(Adaptive("hybrid").Decide(snapshot).lends, IsEmpty());
}

TEST(AdaptivePolicyTest, WorkersWithoutBytesBorrowNothing) {
  LayerSnapshot snapshot = Past(3, {3000, 500, 500}, {0, 1, 2});
  snapshot.cost.expert_bytes = 100;
  // Parameters and a gradient need 200.
  snapshot.spare_bytes = {1000, 199, 200};

  EXPECT_THAT(Adaptive("hybrid").Decide(snapshot).lends,
              ElementsAre(LendOf(0, 0, 2, 0)));
}

TEST(AdaptivePolicyTest, HotExpertsOfOneNodeChangePlacesOverSlowLinks) {
  LayerSnapshot snapshot =
      Past(4, {4000, 4000, 10, 10, 10, 10, 10, 10}, {0, 1, 0, 1, 2, 2, 3, 3});
  snapshot.node_of_worker = {0, 0, 1, 1};
  snapshot.cost.expert_bytes = 1000;
  snapshot.cost.intra_node.us_per_byte = 0.01;
  snapshot.cost.inter_node.us_per_byte = 3;

  const LayerPlan plan = Adaptive("hybrid").Decide(snapshot);

  EXPECT_THAT(plan.moves, Not(IsEmpty()));
  const std::vector<WorkerRank> homes =
      HomesAfter(snapshot.home_of_expert, plan.moves);
  EXPECT_NE(homes[0].value() / 2, homes[1].value() / 2);
}

TEST(AdaptivePolicyTest, FewestCopiesStopAtTheTarget) {
  const AdaptivePolicy policy({"adaptive", "inline"},
                              {.fewest_copies = true, .target_imbalance = 1.3});

  const LayerPlan plan =
      policy.Decide(SmallSnapshot(3, {1600, 1000, 400}, {0, 1, 2}));

  EXPECT_THAT(plan.lends, SizeIs(1));
  EXPECT_THAT(plan.reason, EndsWith("ms"));
}

TEST(AdaptivePolicyTest, FewestCopiesAheadKeepWhatReachesTheTarget) {
  const AdaptivePolicy policy({"adaptive", "ahead"},
                              {.fewest_copies = true, .target_imbalance = 1.1});
  const LayerSnapshot before = Past(3, {1600, 1000, 400}, {0, 1, 2});
  const LayerPlan plan = policy.Decide(before);
  ASSERT_THAT(plan.lends, ElementsAre(LendOf(0, 0, 2, 0)));
  LayerSnapshot snapshot = After(before, plan);
  snapshot.history = {{Iteration(1), {1500, 1000, 500}}};

  EXPECT_THAT(policy.Decide(snapshot).lends, ElementsAre(LendOf(0, 0, 2, 0)));
}

}  // namespace
}  // namespace balancemoe
