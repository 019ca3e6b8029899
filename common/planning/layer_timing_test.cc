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
                              .intra_node = {4, 0},
                              .inter_node = {10, 0}};

MATCHER(TimesAreNear, "") {
  const auto& [actual, expected] = arg;
  return std::abs(actual.forward_us - expected.forward_us) < 1e-9 &&
         std::abs(actual.backward_us - expected.backward_us) < 1e-9;
}

struct Sent {
  size_t from = 0;
  // worker, compute_us
  std::vector<TimedCopy> copies;
  bool early = false;
  bool move = false;
};

struct TimingCase {
  std::string name;
  CostModel cost;
  // staying_us, exchange_us
  std::vector<WorkerWork> workers;
  std::vector<Sent> sent;
  // forward_us, backward_us
  std::vector<WorkerTimes> expected;
  // All on one, where there are none.
  std::vector<int32_t> nodes = {};
};

LayerTiming Time(const TimingCase& test_case) {
  LayerWork work;
  work.workers = test_case.workers;
  work.nodes = test_case.nodes;
  work.nodes.resize(work.workers.size());
  for (const Sent& sent : test_case.sent) {
    const size_t begin = work.copies.size();
    work.copies.insert(work.copies.end(), sent.copies.begin(),
                       sent.copies.end());
    work.transfers.push_back({.from = sent.from,
                              .begin_copy = begin,
                              .end_copy = work.copies.size(),
                              .early = sent.early,
                              .move = sent.move});
  }
  LayerTiming timing;
  LayerTimer(test_case.cost).Time(work, timing);
  return timing;
}

class LayerTimerTest : public ::testing::TestWithParam<TimingCase> {};

TEST_P(LayerTimerTest, TakesWhatTheRuleSays) {
  EXPECT_THAT(Time(GetParam()).workers,
              Pointwise(TimesAreNear(), GetParam().expected));
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

CostModel WithHeadStart(CostModel cost, double head_start) {
  cost.head_start = head_start;
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
                   {{0, {{1, 3}}}},
                   {{10, 10}, {8, 8}}},
        // Forward: the borrower waits from 1 to 4. Backward: 3 + 4.
        TimingCase{"TransferThatComputeDoesNotHide",
                   kPlain,
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 3}}}},
                   {{2, 7}, {7, 4}}},
        // Arrivals at 4 and 8. Backward begins with the second: gradients leave
        // at 1 and, since the lane is busy until then, at 5.
        TimingCase{"TransfersOfOneLenderTakeTurns",
                   kPlain,
                   {{0, 0}, {0, 0}},
                   {{0, {{1, 2}}}, {0, {{1, 1}}}},
                   {{0, 9}, {9, 3}}},
        // As many lanes as pairs: both arrive at 4.
        TimingCase{"TransfersOfDifferentWorkersRunSideBySide",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
                   {{0, {{1, 2}}}, {2, {{3, 1}}}},
                   {{0, 6}, {6, 2}, {0, 5}, {5, 1}}},
        // Worker 2's single receiving lane: arrivals at 4 and 8; in backward it
        // sends the gradient of the second at 1 and of the first at 5.
        TimingCase{"TransfersToOneBorrowerTakeTurns",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}},
                   {{0, {{2, 2}}}, {1, {{2, 1}}}},
                   {{0, 9}, {0, 5}, {9, 3}}},
        // Sending and receiving are different lanes: both arrive at 4.
        TimingCase{"SwappedExpertsPassEachOther",
                   kPlain,
                   {{0, 0}, {0, 0}},
                   {{0, {{1, 2}}}, {1, {{0, 1}}}},
                   {{5, 6}, {6, 5}}},
        // The exchange of worker 1 holds its lanes until 6: arrival at 10.
        // Backward: computed at 6 + 3, home at 13, and worker 0 is through with
        // its own exchanges at 1 + 2 + 1.
        TimingCase{"ExchangesHaveTheLanesFirst",
                   kPlain,
                   {{2, 1}, {0, 6}},
                   {{0, {{1, 3}}}},
                   {{4, 13}, {19, 15}}},
        // Forward: for 4 us compute runs at half speed. Worker 0: 10 + 2.
        // Worker 1: 1 takes 2, then it waits. Backward: worker 1 computes 3,
        // and its own 1 takes 2 under the transfer; worker 0 works alone until
        // 3, then 2 of its 10 take 4.
        TimingCase{"ComputeUnderATransferIsSlower",
                   With(kPlain, 2, 0),
                   {{10, 0}, {1, 0}},
                   {{0, {{1, 3}}}},
                   {{12, 12}, {7, 5}}},
        // 1 us of processor time per end and transfer, taken from the staying
        // compute; worker 1's waiting hides it in forward.
        TimingCase{"HostTimeIsTakenFromBothEnds",
                   With(kPlain, 1, 1),
                   {{10, 0}, {2, 0}},
                   {{0, {{1, 3}}}},
                   {{11, 11}, {7, 6}}},
        // Worker 1 borrows from 0 and lends to 2. Backward: worker 2 is done
        // at 2 and its gradient comes in at worker 1 from 2 to 6, so that the
        // 10 there end at 12; its own 3 take until 17 under the gradient to 0.
        TimingCase{"GradientComingInSlowsABorrowerDown",
                   With(kPlain, 2, 0),
                   {{0, 0}, {3, 0}, {0, 0}},
                   {{0, {{1, 10}}}, {1, {{2, 2}}}},
                   {{0, 16}, {15, 17}, {6, 2}}}),
    [](const auto& test_case) { return test_case.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Early, LayerTimerTest,
    ::testing::Values(
        // The pass takes 4 without transfers: the expert comes at -4 + 4.
        TimingCase{"TransferThatStartsOneForwardBefore",
                   kPlain,
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 3}}, true}},
                   {{2, 7}, {4, 4}}},
        // 4 us under the layer before cost 2 us at half speed: 2 + 10 and 2 + 1
        // + 3. Backward as without.
        TimingCase{"TransferSlowsTheLayerThatItRunsUnder",
                   With(kPlain, 2, 0),
                   {{10, 0}, {1, 0}},
                   {{0, {{1, 3}}, true}},
                   {{12, 12}, {6, 5}}},
        // Worker 1 has 1 us of compute, which takes 2 at most.
        TimingCase{"TransferSlowsNoMoreComputeThanThereIs",
                   With(kPlain, 2, 0),
                   {{10, 0}, {0, 0}},
                   {{0, {{1, 1}}, true}},
                   {{12, 12}, {2, 1}}},
        // Half of the pass: the expert comes at -2 + 4.
        TimingCase{"TransferWithAShorterHeadStart",
                   WithHeadStart(kPlain, 0.5),
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 3}}, true}},
                   {{2, 7}, {5, 4}}},
        // No head start, but before the exchange: the expert comes at 4, when
        // worker 1 has computed its own.
        TimingCase{"TransferWithoutAHeadStartIsBeforeTheExchange",
                   WithHeadStart(kPlain, 0),
                   {{2, 3}, {1, 3}},
                   {{0, {{1, 3}}, true}},
                   {{8, 10}, {10, 10}}},
        // From -5 to -1 and to 3. Backward: gradients leave at 1 and at 5.
        TimingCase{"TransferMayStillBeUnderWay",
                   kPlain,
                   {{5, 0}, {0, 0}},
                   {{0, {{1, 1}}, true}, {0, {{1, 1}}, true}},
                   {{5, 9}, {4, 2}}},
        // The first came at -7, the second waits for the exchange: 3 + 4.
        // Backward: gradients leave at 4 and at 8.
        TimingCase{"TransfersPlannedInlineWaitForTheExchange",
                   kPlain,
                   {{5, 3}, {0, 3}},
                   {{0, {{1, 1}}, true}, {0, {{1, 1}}}},
                   {{11, 12}, {11, 8}}}),
    [](const auto& test_case) { return test_case.param.name; });

// 1,000 bytes take 101 us from one to another, and 5 + 100 + 2 * 20 along a
// chain of 5.
constexpr CostModel kRelay = {.us_per_token = 1,
                              .backward_factor = 1,
                              .intra_node = {1, 0.1},
                              .expert_bytes = 1000};

INSTANTIATE_TEST_SUITE_P(
    Receivers, LayerTimerTest,
    ::testing::Values(
        // Only the second transfer, from 4 to 8, brings work and a gradient.
        TimingCase{"UnusedReplicaCostsItsRefreshAlone",
                   kPlain,
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 0}}}, {0, {{1, 3}}}},
                   {{2, 7}, {11, 4}}},
        // Nobody waits for what nobody uses.
        TimingCase{"UnusedReplicaAloneKeepsNobodyWaiting",
                   kPlain,
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 0}}}},
                   {{2, 2}, {1, 1}}},
        // Two apart: 4 and 8. Gradients leave at 1 and 5.
        TimingCase{"TwoAreServedOneAfterTheOther",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}},
                   {{0, {{1, 1}, {2, 2}}}},
                   {{0, 9}, {5, 1}, {10, 2}}},
        // Two rounds of 4. Gradients come home together once the last is
        // computed.
        TimingCase{"ThreeAreServedByATree",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
                   {{0, {{1, 1}, {2, 2}, {3, 3}}}},
                   {{0, 11}, {9, 1}, {10, 2}, {11, 3}}},
        // All have it at 145; the last gradient is computed at 50.
        TimingCase{
            "FiveAreServedByAChain",
            kRelay,
            {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}},
            {{0, {{1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}}}},
            {{0, 195}, {155, 10}, {165, 20}, {175, 30}, {185, 40}, {195, 50}}},
        // A chain of 2 takes 2 + 100 + 2 * 10; worker 2 has no gradient, so
        // worker 1's goes home alone.
        TimingCase{"ChainReturnsOnlyTheGradientsThatThereAre",
                   kRelay,
                   {{0, 0}, {0, 0}, {0, 0}},
                   {{0, {{1, 10}, {2, 0}}}},
                   {{0, 111}, {132, 10}, {0, 0}}},
        // 4 within the node and 10 to the other one, side by side.
        TimingCase{"LinkClassesDoNotShareLanes",
                   kPlain,
                   {{0, 0}, {0, 0}, {0, 0}},
                   {{0, {{1, 1}}}, {0, {{2, 1}}}},
                   {{0, 11}, {5, 1}, {11, 1}},
                   {0, 0, 1}}),
    [](const auto& test_case) { return test_case.param.name; });

// Parameters take 4 us, optimizer state 10.
constexpr CostModel kMove = {.us_per_token = 1,
                             .backward_factor = 1,
                             .intra_node = {4, 1},
                             .optimizer_bytes = 6};

INSTANTIATE_TEST_SUITE_P(
    Moves, LayerTimerTest,
    ::testing::Values(
        // Parameters come at 4, as those of a lend; no gradient returns.
        TimingCase{"MovedExpertIsComputedWhenItHasCome",
                   kMove,
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 3}}, false, true}},
                   {{2, 2}, {7, 4}}},
        // One byte of parameters: transfers from 0 to 5 and to 15, at half
        // speed. Worker 1's own 1 takes 2, and 3 from 5 on take 6. Backward has
        // the last 4 us of them: 2 of the 3 take 4, and 1 + 1 more follow.
        TimingCase{"OptimizerStateSlowsBothPasses",
                   With(kMove, 2, 0),
                   {{2, 0}, {1, 0}},
                   {{0, {{1, 3}}, false, true}},
                   {{4, 4}, {11, 6}}},
        // Optimizer state from 4 to 14, 9 after forward's 5: the gradient of
        // worker 0, computed at 1, takes the same lanes from 9 on.
        TimingCase{"GradientsWaitForOptimizerState",
                   kMove,
                   {{0, 0}, {0, 0}},
                   {{0, {{1, 1}}, false, true}, {1, {{0, 1}}}},
                   {{5, 1}, {5, 13}}},
        // Parameters from -10 to -6, optimizer state to 4.
        TimingCase{"EarlyMoveIsThroughBeforeForwardEnds",
                   kMove,
                   {{10, 0}, {5, 0}},
                   {{0, {{1, 3}}, true, true}},
                   {{10, 10}, {8, 8}}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(LayerTimerTest, LayerEndsWhenOptimizerStateHasArrived) {
  // Forward takes 7, of the 14 until the state is there.
  const LayerTiming timing =
      Time({"", kMove, {{2, 0}, {1, 0}}, {{0, {{1, 3}}, false, true}}, {}});

  EXPECT_DOUBLE_EQ(timing.forward_us, 7);
  EXPECT_DOUBLE_EQ(timing.backward_us, 7);
  EXPECT_DOUBLE_EQ(timing.layer_us(), 14);
}

TEST(LayerTimerTest, UndisturbedTimeIsThatWithoutTransfersAndPlanning) {
  LayerWork work;
  work.workers = {{2, 1}, {1, 0}};
  work.nodes = {0, 0};
  work.copies = {{1, 3}};
  work.transfers = {{.from = 0, .begin_copy = 0, .end_copy = 1}};
  work.planning_us = 20;
  LayerTiming timing;

  LayerTimer(WithBackward(kPlain, 2)).Time(work, timing);

  // 1 + 2 + 1 against 1 + 3, and 1 + 4 + 1 against 2 + 6.
  EXPECT_DOUBLE_EQ(timing.undisturbed_us, 4 + 8);
  // The transfer ends at 1 + 4. Planning comes first.
  EXPECT_DOUBLE_EQ(timing.forward_us, 20 + 5 + 3);
  // The gradient leaves at 6.
  EXPECT_DOUBLE_EQ(timing.backward_us, 10);
}

TEST(WorkOfTest, ComputeIsLaunchesAndTokensThatStay) {
  const WorkerWork work =
      WorkOf({.computed = 50, .staying = 30, .staying_experts = 3},
             {.expert_launch_us = 10, .us_per_token = 2});

  EXPECT_DOUBLE_EQ(work.staying_us, 90);
  EXPECT_DOUBLE_EQ(work.exchange_us, 0);
}

TEST(WorkOfTest, ExchangesOfBothClassesRunSideBySide) {
  const CostModel cost = {.us_per_token = 1,
                          .intra_node = {1, 0.5},
                          .inter_node = {10, 2},
                          .token_bytes = 4};

  // Whichever are more, in or out: 1 + 9 * 4 * 0.5, and 10 + 1 * 4 * 2.
  EXPECT_DOUBLE_EQ(WorkOf({.out = {3, 1}, .in = {9, 0}}, cost).exchange_us, 19);
  EXPECT_DOUBLE_EQ(WorkOf({.out = {3, 1}, .in = {2, 0}}, cost).exchange_us, 18);
  // Not even latency where nothing travels.
  EXPECT_DOUBLE_EQ(WorkOf({.out = {3, 0}, .in = {2, 0}}, cost).exchange_us, 7);
}

TEST(ExpertComputeTest, ExpertWithoutTokensIsNotLaunched) {
  const CostModel cost = {.expert_launch_us = 10, .us_per_token = 2};

  EXPECT_DOUBLE_EQ(ExpertComputeUs(cost, 0), 0);
  EXPECT_DOUBLE_EQ(ExpertComputeUs(cost, 1), 12);
}

}  // namespace
}  // namespace balancemoe
