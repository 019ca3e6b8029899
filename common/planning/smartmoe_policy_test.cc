#include "common/planning/smartmoe_policy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

// Before iteration `iteration`, on two workers with two experts each.
LayerSnapshot Snapshot(int64_t iteration, std::vector<PastLoads> history) {
  LayerSnapshot snapshot = SmallSnapshot(2, {0, 0, 0, 0}, {0, 0, 1, 1});
  snapshot.iteration = Iteration(iteration);
  snapshot.tokens = LoadMatrix();
  snapshot.history = std::move(history);
  return snapshot;
}

PastLoads Past(int64_t iteration, std::vector<int64_t> tokens_of_expert) {
  return {Iteration(iteration), std::move(tokens_of_expert)};
}

struct SmartMoeCase {
  std::string name;
  LayerSnapshot snapshot;
  std::vector<Move> moves;
};

class SmartMoePolicyTest : public testing::TestWithParam<SmartMoeCase> {};

TEST_P(SmartMoePolicyTest, Moves) {
  EXPECT_EQ(SmartMoePolicy().Decide(GetParam().snapshot).moves,
            GetParam().moves);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SmartMoePolicyTest,
    testing::Values(
        // 40 stays, 30 goes to worker 1, the first 5 too, which is then full.
        SmartMoeCase{"LargestFirstToTheLeastLoadedWithRoom",
                     Snapshot(10, {Past(9, {40, 30, 5, 5})}),
                     {MoveOf(1, 0, 1), MoveOf(3, 1, 0)}},
        SmartMoeCase{
            "NothingWithinAPeriod", Snapshot(9, {Past(8, {40, 30, 5, 5})}), {}},
        SmartMoeCase{"NothingBeforeTheFirstIteration", Snapshot(0, {}), {}},
        // Mean 20, 20, 20, 20.
        SmartMoeCase{
            "MeanOfTheLastTwo",
            Snapshot(20, {Past(18, {40, 40, 0, 0}), Past(19, {0, 0, 40, 40})}),
            {}},
        SmartMoeCase{
            "OnlyRowsOfTheLastPeriodCount",
            Snapshot(20, {Past(9, {0, 0, 40, 40}), Past(11, {40, 40, 0, 0})}),
            {MoveOf(1, 0, 1), MoveOf(3, 1, 0)}},
        // 50 and 10 against 30 and 30 would be no lighter than now.
        SmartMoeCase{"NoMovesThatDoNotLowerThePeak",
                     Snapshot(10, {Past(9, {50, 10, 30, 30})}),
                     {}},
        SmartMoeCase{"PeriodsMayBeSkipped",
                     Snapshot(101, {Past(1, {40, 30, 5, 5})}),
                     {MoveOf(1, 0, 1), MoveOf(3, 1, 0)}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(SmartMoeReasonTest, SaysWhatWasWaitedFor) {
  EXPECT_EQ(
      SmartMoePolicy().Decide(Snapshot(9, {Past(8, {40, 30, 5, 5})})).reason,
      "no moves: worker 0 is 1.75 times the mean, but its period has not "
      "ended; predicted 0.210 ms");
  EXPECT_EQ(
      SmartMoePolicy().Decide(Snapshot(10, {Past(9, {40, 30, 5, 5})})).reason,
      "2 moves: worker 0 was 1.75 times the mean, now 1.12; predicted 0.210 -> "
      "0.135 ms");
}

}  // namespace
}  // namespace balancemoe
