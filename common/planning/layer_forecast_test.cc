#include "common/planning/layer_forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/planning/layer_snapshot.h"
#include "common/planning/testing/random_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

constexpr WorkerRank kW0(0);
constexpr WorkerRank kW1(1);
constexpr WorkerRank kW2(2);

// Worker 0 has experts 0 and 1, worker 1 has expert 2. A transfer takes 7 us, a
// token 2 us on its way and 2 us to compute.
LayerSnapshot ThreeExperts() {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(2, 3);
  const std::vector<int64_t> tokens = {6, 5, 1, 4, 3, 2};
  std::copy(tokens.begin(), tokens.end(), snapshot.tokens.MutableAll().begin());
  snapshot.home_of_expert = {kW0, kW0, kW1};
  snapshot.spare_slots = {1, 1};
  snapshot.cost = {.expert_launch_us = 10,
                   .us_per_token = 2,
                   .backward_factor = 2,
                   .intra_node = {3, 0.5},
                   .expert_bytes = 8,
                   .token_bytes = 4};
  return snapshot;
}

LayerTiming TimeLends(const LayerSnapshot& snapshot,
                      const std::vector<Lend>& lends) {
  return TimeLayer(KnownLoads(snapshot), snapshot.cost, lends);
}

TEST(TimeLayerTest, WithoutLendsItIsComputeAndExchanges) {
  const LayerTiming timing = TimeLends(ThreeExperts(), {});

  // Worker 0 computes 18 tokens in 2 experts, 56 us, of which 7 come in and 1
  // goes out: 3 + 7 * 4 * 0.5 = 17 us. Worker 1: 3 tokens, 16 us, 7 out.
  EXPECT_DOUBLE_EQ(timing.forward_us, 17 + 56 + 17);
  EXPECT_DOUBLE_EQ(timing.backward_us, 17 + 112 + 17);
  EXPECT_DOUBLE_EQ(timing.layer_us(), 236);
  EXPECT_DOUBLE_EQ(timing.undisturbed_us, 236);
  EXPECT_DOUBLE_EQ(timing.workers[1].forward_us, 17 + 16 + 17);
}

TEST(TimeLayerTest, LendChangesComputeAndExchanges) {
  const LayerTiming timing =
      TimeLends(ThreeExperts(), {{ExpertId(1), kW0, kW1}});

  // Worker 0 keeps 10 tokens, 30 us; 4 come in and 6 go out: 15 us. Worker 1
  // computes 16 + 26 us; 6 come in, 4 go out. The transfer takes 3 + 4 us, all
  // of it under worker 1's 16.
  EXPECT_DOUBLE_EQ(timing.workers[0].forward_us, 15 + 30 + 15);
  EXPECT_DOUBLE_EQ(timing.workers[1].forward_us, 15 + 42 + 15);
  EXPECT_DOUBLE_EQ(timing.workers[0].backward_us, 15 + 60 + 15);
  EXPECT_DOUBLE_EQ(timing.workers[1].backward_us, 15 + 84 + 15);
  EXPECT_DOUBLE_EQ(timing.layer_us(), 72 + 114);
}

TEST(TimeLayerTest, LayerEndsWithTheLastWorkerOfEachPass) {
  LayerSnapshot snapshot = ThreeExperts();
  snapshot.cost.expert_bytes = 800;

  const LayerTiming timing = TimeLends(snapshot, {{ExpertId(1), kW0, kW1}});

  // Forward: worker 1's wait for the 403 us transfer. Backward: the gradient,
  // at worker 0; worker 1 is through long before.
  EXPECT_DOUBLE_EQ(timing.forward_us, 15 + 403 + 26 + 15);
  EXPECT_DOUBLE_EQ(timing.backward_us, 15 + 52 + 403);
  EXPECT_DOUBLE_EQ(timing.workers[1].backward_us, 15 + 84 + 15);
}

TEST(TimeLayerTest, OneWorkerAloneExchangesNothing) {
  LayerSnapshot snapshot = ThreeExperts();
  snapshot.tokens = LoadMatrix(1, 1);
  snapshot.tokens.MutableAll()[0] = 5;
  snapshot.home_of_expert = {kW0};
  snapshot.spare_slots = {0};

  EXPECT_DOUBLE_EQ(TimeLends(snapshot, {}).layer_us(), 20 + 40);
}

TEST(TimeLayerTest, ExpertWithoutTokensCostsNothing) {
  LayerSnapshot snapshot = ThreeExperts();
  for (int64_t& tokens : snapshot.tokens.MutableAll()) tokens = 0;

  EXPECT_DOUBLE_EQ(TimeLends(snapshot, {}).layer_us(), 0);
}

TEST(TimeLayerTest, SplitLeavesTheRestAtHome) {
  const LayerTiming timing =
      TimeLends(ThreeExperts(), {{ExpertId(0), kW0, kW1, 4}});

  // Both compute their own tokens of expert 0. Worker 0: 6 and 8 tokens, 48 us;
  // 3 come in, 1 goes out: 9 us. Worker 1: 16 and 18 us. The gradient leaves at
  // 9 + 36.
  EXPECT_DOUBLE_EQ(timing.workers[0].forward_us, 9 + 48 + 9);
  EXPECT_DOUBLE_EQ(timing.workers[1].forward_us, 9 + 34 + 9);
  EXPECT_DOUBLE_EQ(timing.workers[0].backward_us, 9 + 96 + 9);
  EXPECT_DOUBLE_EQ(timing.workers[1].backward_us, 9 + 68 + 9);
}

TEST(TimeLayerTest, AllTokensAreAsManyAsThereAre) {
  SnapshotGenerator generator(13);
  for (int round = 0; round < 200; ++round) {
    const LayerSnapshot snapshot = generator.Next(4, 6);
    std::vector<Lend> all;
    std::vector<Lend> exact;
    for (int32_t e = 0; e < 6; ++e) {
      const WorkerRank home = snapshot.home_of_expert[static_cast<size_t>(e)];
      const WorkerRank to(static_cast<int32_t>(generator.Draw(0, 3)));
      if (to == home) continue;
      all.push_back({ExpertId(e), home, to});
      exact.push_back(
          {ExpertId(e), home, to, snapshot.tokens.TokensOfExpert(ExpertId(e))});
    }

    EXPECT_EQ(TimeLends(snapshot, all).layer_us(),
              TimeLends(snapshot, exact).layer_us());
  }
}

// The loads of `snapshot` once expert 1 lives on worker 1.
LayerLoads AfterMove(const LayerSnapshot& snapshot) {
  return LayerLoads(snapshot.tokens, std::vector<WorkerRank>{kW0, kW1, kW1},
                    snapshot.node_of_worker);
}

const std::vector<Move> kMoves = {{ExpertId(1), kW0, kW1}};

TEST(LayerForecasterTest, MovedExpertIsComputedAtItsNewHome) {
  const LayerSnapshot snapshot = ThreeExperts();
  LayerForecaster forecaster(snapshot.cost);

  const LayerTiming timing =
      forecaster.Time(AfterMove(snapshot), {.moves = kMoves});

  // As if it were lent, but no gradient returns.
  EXPECT_DOUBLE_EQ(timing.workers[0].forward_us, 15 + 30 + 15);
  EXPECT_DOUBLE_EQ(timing.workers[1].forward_us, 15 + 42 + 15);
  EXPECT_DOUBLE_EQ(timing.layer_us(), 72 + 114);
  EXPECT_EQ(forecaster.workers()[1].computed, 11);
}

TEST(LayerForecasterTest, MovedExpertIsNotComputedBeforeItHasCome) {
  LayerSnapshot snapshot = ThreeExperts();
  snapshot.cost.expert_bytes = 800;
  LayerForecaster forecaster(snapshot.cost);
  const LayerLoads loads = AfterMove(snapshot);

  EXPECT_DOUBLE_EQ(forecaster.Time(loads, {.moves = kMoves}).forward_us,
                   15 + 403 + 26 + 15);
  // Early, it comes at 403 - 72, the forward time without transfers.
  EXPECT_DOUBLE_EQ(
      forecaster.Time(loads, {.moves = kMoves, .early_moves = true}).forward_us,
      331 + 26 + 15);
}

TEST(LayerForecasterTest, LayerWaitsForTheOptimizerStateOfAMove) {
  LayerSnapshot snapshot = ThreeExperts();
  snapshot.cost.optimizer_bytes = 1000;
  LayerForecaster forecaster(snapshot.cost);

  // 7 us of parameters after the exchange, then 503.
  EXPECT_DOUBLE_EQ(
      forecaster.Time(AfterMove(snapshot), {.moves = kMoves}).layer_us(),
      15 + 7 + 503);
}

TEST(LayerForecasterTest, MovedExpertMayBeLentFromItsNewHome) {
  const LayerSnapshot snapshot = ThreeExperts();
  LayerForecaster forecaster(snapshot.cost);
  const std::vector<Lend> lends = {{ExpertId(1), kW1, kW0, 5}};

  forecaster.Time(AfterMove(snapshot), {.moves = kMoves, .lends = lends});

  // 3 of its 8 tokens are left to the new home.
  EXPECT_EQ(forecaster.workers()[0].computed, 15);
  EXPECT_EQ(forecaster.workers()[1].computed, 6);
  ASSERT_EQ(forecaster.work().copies.size(), 2U);
  EXPECT_DOUBLE_EQ(forecaster.work().copies[0].compute_us, 16);
  EXPECT_DOUBLE_EQ(forecaster.work().copies[1].compute_us, 20);
}

TEST(LayerForecasterTest, PlanningIsPartOfTheLayer) {
  const LayerSnapshot snapshot = ThreeExperts();
  LayerForecaster forecaster(snapshot.cost);

  EXPECT_DOUBLE_EQ(
      forecaster.Time(KnownLoads(snapshot), {.planning_us = 30}).layer_us(),
      30 + 236);
}

TEST(LayerForecasterTest, EarlyLendsAreThereBeforeTheLayer) {
  LayerSnapshot snapshot = ThreeExperts();
  snapshot.cost.expert_bytes = 800;
  LayerForecaster forecaster(snapshot.cost);
  const std::vector<Lend> lends = {{ExpertId(1), kW0, kW1}};

  // Forward takes 72 without transfers, of the 403 of this one.
  EXPECT_DOUBLE_EQ(
      forecaster.Time(KnownLoads(snapshot), {.lends = lends, .early_lends = 1})
          .forward_us,
      331 + 26 + 15);
}

// Expert 0, on worker 0, has 20 tokens of each of four workers.
LayerSnapshot OneHotExpert() {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(4, 1);
  for (int64_t& tokens : snapshot.tokens.MutableAll()) tokens = 20;
  snapshot.home_of_expert = {kW0};
  snapshot.spare_slots = {1, 1, 1, 1};
  snapshot.cost = {.us_per_token = 1, .intra_node = {5, 0}};
  return snapshot;
}

TEST(LayerForecasterTest, TopUpsOfALentExpertSplitItFurther) {
  const LayerSnapshot snapshot = OneHotExpert();
  LayerForecaster forecaster(snapshot.cost);
  const std::vector<Lend> lends = {{ExpertId(0), kW0, kW1, 30},
                                   {ExpertId(0), kW0, kW2, 10}};

  forecaster.Time(KnownLoads(snapshot), {.lends = lends, .early_lends = 1});

  std::vector<int64_t> computed;
  for (const WorkerTokens& worker : forecaster.workers()) {
    computed.push_back(worker.computed);
  }
  EXPECT_THAT(computed, ElementsAre(40, 30, 10, 0));
  // The planned one travelled early, the top-up on its own.
  ASSERT_EQ(forecaster.work().transfers.size(), 2U);
  EXPECT_TRUE(forecaster.work().transfers[0].early);
  EXPECT_FALSE(forecaster.work().transfers[1].early);
}

TEST(LayerForecasterTest, LendsOfOneExpertTravelTogether) {
  const LayerSnapshot snapshot = OneHotExpert();
  LayerForecaster forecaster(snapshot.cost);
  const std::vector<Lend> lends = {{ExpertId(0), kW0, kW1, 20},
                                   {ExpertId(0), kW0, kW2, 20},
                                   {ExpertId(0), kW0, WorkerRank(3), 20}};

  const LayerTiming timing =
      forecaster.Time(KnownLoads(snapshot), {.lends = lends});

  // Everybody computes its own, no exchange; a tree of two rounds.
  EXPECT_EQ(forecaster.work().transfers.size(), 1U);
  EXPECT_DOUBLE_EQ(timing.forward_us, 10 + 20);
  EXPECT_DOUBLE_EQ(timing.backward_us, 40 + 10);
}

}  // namespace
}  // namespace balancemoe
