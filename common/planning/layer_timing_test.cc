#include "common/planning/layer_timing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "common/ids.h"

namespace balancemoe {

std::ostream& operator<<(std::ostream& out, const WorkerTimes& times) {
  return out << times.forward_us << " forward, " << times.backward_us
             << " backward";
}

namespace {

using ::testing::Pointwise;

// A transfer takes 4 us; backward as long as forward, so that both are easily
// worked out by hand.
constexpr CostModel kPlain = {.expert_launch_us = 1,
                              .us_per_token = 1,
                              .backward_factor = 1,
                              .link_latency_us = 4};

MATCHER(TimesAreNear, "") {
  const auto& [actual, expected] = arg;
  return std::abs(actual.forward_us - expected.forward_us) < 1e-9 &&
         std::abs(actual.backward_us - expected.backward_us) < 1e-9;
}

struct TimingCase {
  std::string name;
  CostModel cost;
  // staying_us, all_to_all_us
  std::vector<WorkerWork> workers;
  // from, to, compute_us
  std::vector<TimedLend> lends;
  // forward_us, backward_us
  std::vector<WorkerTimes> expected;
};

class LayerTimerTest : public ::testing::TestWithParam<TimingCase> {};

TEST_P(LayerTimerTest, TakesWhatTheRuleSays) {
  const TimingCase& test_case = GetParam();
  std::vector<WorkerTimes> times(test_case.workers.size());

  LayerTimer(test_case.cost)
      .Time(test_case.workers, test_case.lends, absl::MakeSpan(times));

  EXPECT_THAT(times, Pointwise(TimesAreNear(), test_case.expected));
}

CostModel With(CostModel cost, double slowdown, double host_us_per_transfer) {
  cost.overlap_slowdown = slowdown;
  cost.expert_bytes = 1;
  cost.host_cpu_us_per_byte = host_us_per_transfer;
  return cost;
}

CostModel WithBackward(CostModel cost, double factor) {
  cost.backward_factor = factor;
  return cost;
}

INSTANTIATE_TEST_SUITE_P(
    Rule, LayerTimerTest,
    ::testing::Values(
        TimingCase{"ComputeAndTwoExchangesPerPass",
                   WithBackward(kPlain, 2.5),
                   {{10, 3}, {20, 0}},
                   {},
                   {{16, 31}, {20, 50}}},
        // Forward: arrives at 4, before the 5 of staying compute end. Backward:
        // computed at 3, home at 7.
        TimingCase{"TransferHiddenByStayingCompute",
                   kPlain,
                   {{10, 0}, {5, 0}},
                   {{0, 1, 3}},
                   {{10, 10}, {8, 8}}},
        // Forward: the borrower waits from 1 to 4. Backward: 3 + 4.
        TimingCase{"TransferThatComputeDoesNotHide",
                   kPlain,
                   {{2, 0}, {1, 0}},
                   {{0, 1, 3}},
                   {{2, 7}, {7, 4}}},
        // Arrivals at 4 and 8. Backward begins with the second: gradients leave
        // at 1 and, since the lane is busy until then, at 5.
        TimingCase{"TransfersOfOneLenderTakeTurns",
                   kPlain,
                   {{0, 0}, {0, 0}},
                   {{0, 1, 2}, {0, 1, 1}},
                   {{0, 9}, {9, 3}}},
        // As many lanes as pairs: both arrive at 4.
        TimingCase{"TransfersOfDifferentWorkersRunSideBySide",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
                   {{0, 1, 2}, {2, 3, 1}},
                   {{0, 6}, {6, 2}, {0, 5}, {5, 1}}},
        // Worker 2's single receiving lane: arrivals at 4 and 8; in backward it
        // sends the gradient of the second at 1 and of the first at 5.
        TimingCase{"TransfersToOneBorrowerTakeTurns",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}},
                   {{0, 2, 2}, {1, 2, 1}},
                   {{0, 9}, {0, 5}, {9, 3}}},
        // Sending and receiving are different lanes: both arrive at 4.
        TimingCase{"SwappedExpertsPassEachOther",
                   kPlain,
                   {{0, 0}, {0, 0}},
                   {{0, 1, 2}, {1, 0, 1}},
                   {{5, 6}, {6, 5}}},
        // The exchange of worker 1 holds its lanes until 6: arrival at 10.
        // Backward: computed at 6 + 3, home at 13, and worker 0 is through with
        // its own exchanges at 1 + 2 + 1.
        TimingCase{"ExchangesHaveTheLanesFirst",
                   kPlain,
                   {{2, 1}, {0, 6}},
                   {{0, 1, 3}},
                   {{4, 13}, {19, 15}}},
        // Forward: for 4 us compute runs at half speed. Worker 0: 10 + 2.
        // Worker 1: 1 takes 2, then it waits. Backward: worker 1 computes 3,
        // and its own 1 takes 2 under the transfer; worker 0 works alone until
        // 3, then 2 of its 10 take 4.
        TimingCase{"ComputeUnderATransferIsSlower",
                   With(kPlain, 2, 0),
                   {{10, 0}, {1, 0}},
                   {{0, 1, 3}},
                   {{12, 12}, {7, 5}}},
        // 1 us of processor time per end and transfer, taken from the staying
        // compute; worker 1's waiting hides it in forward.
        TimingCase{"HostTimeIsTakenFromBothEnds",
                   With(kPlain, 1, 1),
                   {{10, 0}, {2, 0}},
                   {{0, 1, 3}},
                   {{11, 11}, {7, 6}}},
        // Worker 1 borrows from 0 and lends to 2. Backward: worker 2 is done
        // at 2 and its gradient comes in at worker 1 from 2 to 6, so that the
        // 10 there end at 12; its own 3 take until 17 under the gradient to 0.
        TimingCase{"GradientComingInSlowsABorrowerDown",
                   With(kPlain, 2, 0),
                   {{0, 0}, {3, 0}, {0, 0}},
                   {{0, 1, 10}, {1, 2, 2}},
                   {{0, 16}, {15, 17}, {6, 2}}}),
    [](const auto& test_case) { return test_case.param.name; });

// Worker 0 has experts 0 and 1, worker 1 has expert 2.
LayerSnapshot ThreeExperts() {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(2, 3);
  const std::vector<int64_t> tokens = {6, 5, 1, 4, 3, 2};
  std::copy(tokens.begin(), tokens.end(), snapshot.tokens.MutableAll().begin());
  snapshot.home_of_expert = {WorkerRank(0), WorkerRank(0), WorkerRank(1)};
  snapshot.spare_slots = {1, 1};
  snapshot.cost = {.expert_launch_us = 10,
                   .us_per_token = 2,
                   .backward_factor = 2,
                   .link_latency_us = 3,
                   .link_us_per_byte = 0.5,
                   .expert_bytes = 8,
                   .token_bytes = 4};
  return snapshot;
}

TEST(TimeLayerTest, WithoutLendsItIsComputeAndExchanges) {
  const LayerSnapshot snapshot = ThreeExperts();

  const LayerTiming timing = TimeLayer(LayerLoads(snapshot), snapshot.cost, {});

  // Worker 0 computes 18 tokens in 2 experts, 56 us, of which 7 come in and 1
  // goes out: 3 + 7 * 4 * 0.5 = 17 us. Worker 1: 3 tokens, 16 us, 7 out.
  EXPECT_DOUBLE_EQ(timing.forward_us, 17 + 56 + 17);
  EXPECT_DOUBLE_EQ(timing.backward_us, 17 + 112 + 17);
  EXPECT_DOUBLE_EQ(timing.layer_us(), 236);
  EXPECT_DOUBLE_EQ(timing.workers[1].forward_us, 17 + 16 + 17);
}

TEST(TimeLayerTest, LendChangesComputeAndExchanges) {
  const LayerSnapshot snapshot = ThreeExperts();

  const LayerTiming timing =
      TimeLayer(LayerLoads(snapshot), snapshot.cost,
                {Lend{ExpertId(1), WorkerRank(0), WorkerRank(1)}});

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

  const LayerTiming timing =
      TimeLayer(LayerLoads(snapshot), snapshot.cost,
                {Lend{ExpertId(1), WorkerRank(0), WorkerRank(1)}});

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
  snapshot.home_of_expert = {WorkerRank(0)};
  snapshot.spare_slots = {0};

  EXPECT_DOUBLE_EQ(
      TimeLayer(LayerLoads(snapshot), snapshot.cost, {}).layer_us(), 20 + 40);
}

TEST(TimeLayerTest, ExpertWithoutTokensCostsNothing) {
  LayerSnapshot snapshot = ThreeExperts();
  for (int64_t& tokens : snapshot.tokens.MutableAll()) tokens = 0;

  EXPECT_DOUBLE_EQ(
      TimeLayer(LayerLoads(snapshot), snapshot.cost, {}).layer_us(), 0);
}

}  // namespace
}  // namespace balancemoe
