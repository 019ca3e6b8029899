#include "common/planning/pairwise_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/planning/layer_forecast.h"
#include "common/planning/testing/random_snapshot.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::Not;

// Expert i has tokens[i], all from worker 0, and lives on homes[i]. Tokens and
// transfers travel for free.
LayerSnapshot Snapshot(int32_t workers, const std::vector<int64_t>& tokens,
                       const std::vector<int32_t>& homes) {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(workers, static_cast<int32_t>(tokens.size()));
  std::copy(tokens.begin(), tokens.end(),
            snapshot.tokens.MutableRow(WorkerRank(0)).begin());
  for (const int32_t home : homes) snapshot.home_of_expert.emplace_back(home);
  snapshot.spare_slots.assign(static_cast<size_t>(workers), 4);
  snapshot.cost = {.us_per_token = 1, .backward_factor = 2};
  return snapshot;
}

Lend LendOf(int32_t expert, int32_t from, int32_t to) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to)};
}

LayerPlan Decide(const LayerSnapshot& snapshot) {
  return PairwisePolicy().Decide(snapshot);
}

TEST(PairwisePolicyTest, LightestIsPairedWithHeaviestAndTheMiddleStaysOut) {
  // Loads 50, 90, 10, 70, 30: pairs (1, 2) and (3, 4).
  const LayerSnapshot snapshot =
      Snapshot(5, {50, 50, 40, 10, 50, 20, 30}, {0, 1, 1, 2, 3, 3, 4});

  EXPECT_THAT(Decide(snapshot).lends,
              ElementsAre(LendOf(2, 1, 2), LendOf(5, 3, 4)));
}

TEST(PairwisePolicyTest, PlanCarriesItsForecastAndReason) {
  const LayerPlan plan = Decide(Snapshot(2, {6000, 2000, 4000}, {0, 0, 1}));

  EXPECT_THAT(plan.lends, ElementsAre(LendOf(1, 0, 1)));
  EXPECT_DOUBLE_EQ(plan.predicted_before_us, 24'000);
  EXPECT_DOUBLE_EQ(plan.predicted_after_us, 18'000);
  EXPECT_EQ(plan.reason,
            "1 lend: worker 0 was 1.33 times the mean, now 1.00; predicted "
            "24.000 -> 18.000 ms");
}

TEST(PairwisePolicyTest, ReasonNamesANewBusiestWorker) {
  const LayerPlan plan = Decide(Snapshot(2, {600, 220, 400}, {0, 0, 1}));

  EXPECT_EQ(plan.reason,
            "1 lend: worker 0 was 1.34 times the mean, now worker 1 is busiest "
            "with 1.02; predicted 2.460 -> 1.860 ms");
}

TEST(PairwisePolicyTest, BalancedLoadGetsNoLends) {
  const LayerPlan plan =
      Decide(Snapshot(4, {5, 5, 5, 5, 5, 5, 5, 5}, {0, 0, 1, 1, 2, 2, 3, 3}));

  EXPECT_THAT(plan.lends, IsEmpty());
  EXPECT_EQ(plan.reason,
            "no lends: worker 0 is 1.00 times the mean, but no lend within "
            "pairs of workers makes the layer faster; predicted 0.030 ms");
}

TEST(PairwisePolicyTest, NoTokensAndOneWorkerGetNoLends) {
  EXPECT_THAT(Decide(Snapshot(2, {0, 0}, {0, 1})).lends, IsEmpty());
  EXPECT_THAT(Decide(Snapshot(1, {7, 2}, {0, 0})).lends, IsEmpty());
}

TEST(PairwisePolicyTest, PairThatWouldSlowTheLayerDownStays) {
  // Workers 1 and 2 would gain 100 us in backward by 20 us of forward, spent
  // waiting for the 80 us transfer; but worker 0's single expert determines
  // when the layer's backward ends.
  LayerSnapshot pair = Snapshot(2, {60, 35, 1}, {0, 0, 1});
  pair.cost.backward_factor = 3;
  pair.cost.expert_bytes = 80;
  pair.cost.intra_node.us_per_byte = 1;
  ASSERT_THAT(Decide(pair).lends, Not(IsEmpty()));
  LayerSnapshot layer = Snapshot(4, {100, 60, 35, 1}, {0, 1, 1, 2});
  layer.cost = pair.cost;

  const LayerPlan plan = Decide(layer);

  EXPECT_THAT(plan.lends, IsEmpty());
  EXPECT_DOUBLE_EQ(plan.predicted_after_us, plan.predicted_before_us);
}

TEST(PairwisePolicyTest, LargePairSaysThatItWasSearchedInPart) {
  std::vector<int64_t> tokens(120);
  std::vector<int32_t> homes(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int64_t>(1000 + 37 * i % 64);
    homes[i] = i < 70 ? 0 : 1;
  }
  // Waiting that the bound does not see keeps it from ending the search early.
  LayerSnapshot snapshot = Snapshot(2, tokens, homes);
  snapshot.spare_slots = {20, 20};
  snapshot.cost.overlap_slowdown = 1.5;
  snapshot.cost.intra_node.latency_us = 2000;

  EXPECT_THAT(Decide(snapshot).reason,
              EndsWith("; 1 of 1 pairs have over 16 experts and were searched "
                       "in part"));
}

TEST(PairwisePolicyTest, RandomPlansAreValidNeverSlowerAndTheSameAgain) {
  constexpr uint64_t kSeed = 11;
  SnapshotGenerator generator(kSeed);
  size_t lends = 0;
  for (int round = 0; round < 1'000; ++round) {
    const LayerSnapshot snapshot =
        generator.Next(static_cast<int32_t>(generator.Draw(1, 9)),
                       static_cast<int32_t>(generator.Draw(1, 40)));
    const LayerLoads loads = KnownLoads(snapshot);

    const LayerPlan plan = Decide(snapshot);

    SCOPED_TRACE(testing::Message() << "round " << round << ", seed " << kSeed);
    ASSERT_THAT(
        ValidatePlan(plan, snapshot.home_of_expert, snapshot.spare_slots),
        IsOk());
    ASSERT_TRUE(std::all_of(
        plan.lends.begin(), plan.lends.end(),
        [](const Lend& lend) { return lend.tokens == kAllTokens; }));
    ASSERT_LE(plan.predicted_after_us, plan.predicted_before_us);
    ASSERT_EQ(plan.predicted_before_us,
              TimeLayer(loads, snapshot.cost, {}).layer_us());
    ASSERT_EQ(plan.predicted_after_us,
              TimeLayer(loads, snapshot.cost, plan.lends).layer_us());
    ASSERT_EQ(Decide(snapshot), plan);
    lends += plan.lends.size();
  }
  // Else the test would have shown nothing.
  EXPECT_GT(lends, 1'000U);
}

}  // namespace
}  // namespace balancemoe
