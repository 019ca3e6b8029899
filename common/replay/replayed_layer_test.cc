#include "common/replay/replayed_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr WorkerRank kW0(0);
constexpr WorkerRank kW1(1);

// Decides what the test says and keeps what it saw.
class ScriptedPolicy final : public Policy {
 public:
  absl::string_view name() const override { return "scripted"; }
  LayerPlan Decide(const LayerSnapshot& snapshot) const override {
    seen.push_back(snapshot);
    return script(snapshot);
  }

  std::function<LayerPlan(const LayerSnapshot&)> script =
      [](const LayerSnapshot&) { return LayerPlan(); };
  mutable std::vector<LayerSnapshot> seen;
};

// 2,000 bytes of parameters and 12,000 of optimizer state per expert; experts 0
// and 1 live on worker 0, 2 and 3 on worker 1.
ReplayedLayer::Setup SetupIn(std::string mode) {
  ReplayedLayer::Setup setup;
  setup.choice = {"static", std::move(mode)};
  setup.workers = 2;
  setup.experts = 4;
  setup.slots = 3;
  setup.profile = {.name = "handy",
                   .hidden = 10,
                   .ffn = 50,
                   .gated = false,
                   .dtype_bytes = 2,
                   .optimizer_bytes_per_parameter = 12,
                   .tflops = 0.002,
                   .intra_node = {5, 0.02},
                   .inter_node = {5, 0.02},
                   .workers_per_node = 2,
                   .watts = {}};
  return setup;
}

// All from worker 0.
LoadMatrix Tokens(const std::vector<int64_t>& tokens) {
  LoadMatrix loads(2, static_cast<int32_t>(tokens.size()));
  std::copy(tokens.begin(), tokens.end(), loads.MutableRow(kW0).begin());
  return loads;
}

LayerPlan LendOf(int64_t tokens) {
  LayerPlan plan;
  plan.lends = {{ExpertId(1), kW0, kW1, tokens}};
  return plan;
}

class ReplayedLayerTest : public ::testing::Test {
 protected:
  std::vector<std::tuple<int32_t, int32_t, int64_t>> SharesOf(
      const ReplayedLayer& layer) {
    std::vector<std::tuple<int32_t, int32_t, int64_t>> shares;
    for (const ReplayedLayer::Share& share : layer.Shares()) {
      shares.emplace_back(share.expert.value(), share.worker.value(),
                          share.tokens);
    }
    return shares;
  }

  ScriptedPolicy policy_;
  FakeClock clock_;
};

TEST_F(ReplayedLayerTest, InlinePoliciesSeeTheExactCounts) {
  ReplayedLayer layer(SetupIn("inline"), policy_, clock_);

  layer.Next(Iteration(5), Tokens({10, 20, 30, 0}));

  ASSERT_EQ(policy_.seen.size(), 1U);
  const LayerSnapshot& snapshot = policy_.seen.front();
  EXPECT_THAT(ValidateSnapshot(snapshot), IsOk());
  EXPECT_EQ(snapshot.iteration, Iteration(5));
  EXPECT_EQ(snapshot.tokens, Tokens({10, 20, 30, 0}));
  EXPECT_THAT(snapshot.history, IsEmpty());
  EXPECT_THAT(snapshot.spare_slots, ElementsAre(3, 3));
  EXPECT_THAT(snapshot.node_of_worker, ElementsAre(0, 0));
}

TEST_F(ReplayedLayerTest, PoliciesAheadSeeWhatHasEnded) {
  ReplayedLayer layer(SetupIn("ahead"), policy_, clock_);

  layer.Next(Iteration(5), Tokens({1, 1, 1, 1}));
  EXPECT_THAT(policy_.seen, IsEmpty());
  layer.Next(Iteration(7), Tokens({2, 2, 2, 2}));
  layer.Next(Iteration(8), Tokens({3, 3, 3, 3}));
  layer.Next(Iteration(9), Tokens({4, 4, 4, 4}));

  ASSERT_EQ(policy_.seen.size(), 3U);
  const LayerSnapshot& last = policy_.seen.back();
  EXPECT_THAT(ValidateSnapshot(last), IsOk());
  EXPECT_EQ(last.iteration, Iteration(9));
  EXPECT_EQ(last.tokens, LoadMatrix());
  EXPECT_THAT(last.history, ElementsAre(PastLoads{Iteration(7), {2, 2, 2, 2}},
                                        PastLoads{Iteration(8), {3, 3, 3, 3}}));
}

TEST_F(ReplayedLayerTest, LendOfTheIterationBeforeIsRenewed) {
  policy_.script = [](const LayerSnapshot&) { return LendOf(5); };
  ReplayedLayer layer(SetupIn("ahead"), policy_, clock_);
  const LoadMatrix tokens = Tokens({10, 20, 30, 0});
  layer.Next(Iteration(1), tokens);

  const ReplayedDecision first = layer.Next(Iteration(2), tokens);
  EXPECT_EQ(first.new_lends, 1);
  EXPECT_EQ(first.renewals, 0);

  const ReplayedDecision second = layer.Next(Iteration(3), tokens);
  EXPECT_EQ(second.new_lends, 0);
  EXPECT_EQ(second.renewals, 1);
  EXPECT_DOUBLE_EQ(second.bytes, 4000);
  EXPECT_THAT(policy_.seen.back().replicas,
              ElementsAre(Replica{ExpertId(1), kW1}));
}

TEST_F(ReplayedLayerTest, TopUpIsForOneIteration) {
  ReplayedLayer::Setup setup = SetupIn("hybrid");
  setup.choice.name = "adaptive";
  setup.profile.intra_node = {5, 20};
  ReplayedLayer layer(setup, policy_, clock_);
  const LoadMatrix tokens = Tokens({4000, 4000, 0, 0});
  layer.Next(Iteration(1), tokens);

  // The plan has nothing; the exact counts have.
  EXPECT_GT(layer.Next(Iteration(2), tokens).new_lends, 0);
  EXPECT_GT(layer.Next(Iteration(3), tokens).new_lends, 0);
  EXPECT_THAT(policy_.seen.back().replicas, IsEmpty());
}

TEST_F(ReplayedLayerTest, ReplicaWithoutTokensReturnsNoGradient) {
  policy_.script = [](const LayerSnapshot&) { return LendOf(0); };
  ReplayedLayer layer(SetupIn("inline"), policy_, clock_);

  EXPECT_DOUBLE_EQ(layer.Next(Iteration(1), Tokens({10, 20, 30, 0})).bytes,
                   2000);
}

TEST_F(ReplayedLayerTest, SharesSayWhoComputesWhat) {
  policy_.script = [](const LayerSnapshot&) { return LendOf(5); };
  ReplayedLayer layer(SetupIn("inline"), policy_, clock_);

  const ReplayedDecision decision =
      layer.Next(Iteration(1), Tokens({10, 20, 30, 0}));

  EXPECT_THAT(SharesOf(layer),
              ElementsAre(std::tuple(0, 0, 10), std::tuple(1, 0, 15),
                          std::tuple(1, 1, 5), std::tuple(2, 1, 30)));
  EXPECT_EQ(decision.peak_tokens, 35);
  EXPECT_DOUBLE_EQ(decision.imbalance, 35.0 / 30);
}

TEST_F(ReplayedLayerTest, MovedExpertStaysAtItsNewHome) {
  policy_.script = [](const LayerSnapshot& snapshot) {
    LayerPlan plan;
    if (snapshot.home_of_expert[1] == kW0) {
      plan.moves = {{ExpertId(1), kW0, kW1}};
    }
    return plan;
  };
  ReplayedLayer layer(SetupIn("inline"), policy_, clock_);

  const ReplayedDecision first =
      layer.Next(Iteration(1), Tokens({10, 20, 30, 0}));
  EXPECT_EQ(first.moves, 1);
  EXPECT_DOUBLE_EQ(first.bytes, 2000 + 12'000);
  // Three experts of 16,000 bytes, 50 tokens of 240.
  EXPECT_DOUBLE_EQ(first.peak_memory_bytes, 48'000 + 12'000);

  const ReplayedDecision second =
      layer.Next(Iteration(2), Tokens({10, 20, 30, 0}));
  EXPECT_EQ(second.moves, 0);
  EXPECT_DOUBLE_EQ(second.bytes, 0);
  EXPECT_THAT(SharesOf(layer),
              ElementsAre(std::tuple(0, 0, 10), std::tuple(1, 1, 20),
                          std::tuple(2, 1, 30)));
}

TEST_F(ReplayedLayerTest, PlanningAheadHidesTransfers) {
  policy_.script = [](const LayerSnapshot&) { return LendOf(kAllTokens); };
  const LoadMatrix tokens = Tokens({400, 400, 0, 0});
  ReplayedLayer planned_inline(SetupIn("inline"), policy_, clock_);
  ReplayedLayer planned_ahead(SetupIn("ahead"), policy_, clock_);
  planned_ahead.Next(Iteration(1), tokens);

  // Each worker computes 400 in 400 us between exchanges of 405. Worker 1 has
  // nothing else to do: inline it waits 105 us for the transfer. The gradient
  // comes home before worker 0 is through.
  EXPECT_DOUBLE_EQ(
      planned_inline.Next(Iteration(2), tokens).exposed_transfer_us, 105);
  EXPECT_DOUBLE_EQ(planned_ahead.Next(Iteration(2), tokens).exposed_transfer_us,
                   0);
}

TEST_F(ReplayedLayerTest, SolvingIsTimedByTheClock) {
  policy_.script = [&](const LayerSnapshot&) {
    clock_.Advance(absl::Microseconds(70));
    return LayerPlan();
  };
  ReplayedLayer layer(SetupIn("inline"), policy_, clock_);

  EXPECT_DOUBLE_EQ(layer.Next(Iteration(1), Tokens({1, 1, 1, 1})).solve_us, 70);
}

}  // namespace
}  // namespace balancemoe
