#include "common/planning/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

// Experts 0 and 1 live on worker 0, expert 2 on worker 1; worker 2 has none.
const std::vector<WorkerRank> kHomes = {WorkerRank(0), WorkerRank(0),
                                        WorkerRank(1)};
const std::vector<int32_t> kSlots = {0, 1, 2};

Lend LendOf(int32_t expert, int32_t from, int32_t to,
            int64_t tokens = kAllTokens) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to), tokens};
}

Move MoveOf(int32_t expert, int32_t from, int32_t to) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to)};
}

LayerPlan PlanOf(std::vector<Move> moves, std::vector<Lend> lends,
                 SplitRule split = SplitRule::kExact) {
  LayerPlan plan;
  plan.moves = std::move(moves);
  plan.lends = std::move(lends);
  plan.split = split;
  return plan;
}

TEST(ValidatePlanTest, PlansOfEverySplitRulePass) {
  for (const LayerPlan& plan :
       {PlanOf({}, {}),
        PlanOf({}, {LendOf(0, 0, 2, 0), LendOf(0, 0, 1, 7), LendOf(2, 1, 2)}),
        PlanOf({}, {LendOf(0, 0, 2, 0), LendOf(0, 0, 1, kShareUnit)},
               SplitRule::kShares),
        PlanOf({}, {LendOf(0, 0, 2, -9), LendOf(0, 0, 1, -9)},
               SplitRule::kMinMax)}) {
    EXPECT_THAT(ValidatePlan(plan, kHomes, kSlots), IsOk());
  }
}

TEST(ValidatePlanTest, MovedExpertIsLentFromItsNewHome) {
  EXPECT_THAT(ValidatePlan(PlanOf({MoveOf(0, 0, 1), MoveOf(2, 1, 0)},
                                  {LendOf(0, 1, 2), LendOf(2, 0, 1)}),
                           kHomes, kSlots),
              IsOk());
  EXPECT_THAT(
      ValidatePlan(PlanOf({MoveOf(0, 0, 1)}, {LendOf(0, 0, 2)}), kHomes,
                   kSlots),
      IsStatus(absl::StatusCode::kInvalidArgument,
               "lend of expert 0 from worker 0 to 2: its home is worker 1"));
}

TEST(ValidatePlanTest, MovesNeedNoSlot) {
  EXPECT_THAT(ValidatePlan(PlanOf({MoveOf(2, 1, 0)}, {}), kHomes, {0, 0, 0}),
              IsOk());
}

struct WrongPlan {
  std::string name;
  LayerPlan plan;
  std::string message;
};

class WrongPlanTest : public ::testing::TestWithParam<WrongPlan> {};

TEST_P(WrongPlanTest, IsRefusedWithTheReason) {
  EXPECT_THAT(ValidatePlan(GetParam().plan, kHomes, kSlots),
              IsStatus(absl::StatusCode::kInvalidArgument, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongPlanTest,
    ::testing::Values(
        WrongPlan{"MoveOfNoExpert", PlanOf({MoveOf(3, 0, 1)}, {}),
                  "move of expert 3 from worker 0 to 1: the layer has experts "
                  "0 to 2"},
        WrongPlan{"MoveToNoWorker", PlanOf({MoveOf(0, 0, -1)}, {}),
                  "move of expert 0 from worker 0 to -1: the job has workers 0 "
                  "to 2"},
        WrongPlan{"MoveFromElsewhere", PlanOf({MoveOf(0, 1, 2)}, {}),
                  "move of expert 0 from worker 1 to 2: its home is worker 0"},
        WrongPlan{"MoveToWhereItIs", PlanOf({MoveOf(0, 0, 0)}, {}),
                  "move of expert 0 from worker 0 to 0: it is at home there"},
        WrongPlan{"MovedTwice", PlanOf({MoveOf(0, 0, 1), MoveOf(0, 0, 2)}, {}),
                  "move of expert 0 from worker 0 to 2: it is moved twice"},
        WrongPlan{"LendOfNoExpert", PlanOf({}, {LendOf(-1, 0, 1)}),
                  "lend of expert -1 from worker 0 to 1: the layer has experts "
                  "0 to 2"},
        WrongPlan{"LendOfAnExpertTooMany", PlanOf({}, {LendOf(3, 0, 1)}),
                  "lend of expert 3 from worker 0 to 1: the layer has experts "
                  "0 to 2"},
        WrongPlan{"LendToNoWorker", PlanOf({}, {LendOf(0, 0, 3)}),
                  "lend of expert 0 from worker 0 to 3: the job has workers 0 "
                  "to 2"},
        WrongPlan{"LendToANegativeWorker", PlanOf({}, {LendOf(0, 0, -1)}),
                  "lend of expert 0 from worker 0 to -1: the job has workers "
                  "0 to 2"},
        WrongPlan{"LendFromElsewhere", PlanOf({}, {LendOf(0, 1, 2)}),
                  "lend of expert 0 from worker 1 to 2: its home is worker 0"},
        WrongPlan{"LendToItself", PlanOf({}, {LendOf(2, 1, 1)}),
                  "lend of expert 2 from worker 1 to 1: it is at home there"},
        WrongPlan{"BorrowedTwice",
                  PlanOf({}, {LendOf(0, 0, 2, 1), LendOf(0, 0, 1, 1),
                              LendOf(0, 0, 2, 1)}),
                  "lend of expert 0 from worker 0 to 2: the worker borrows it "
                  "twice"},
        WrongPlan{"LendsApart",
                  PlanOf({}, {LendOf(0, 0, 2, 1), LendOf(2, 1, 2),
                              LendOf(0, 0, 1, 1)}),
                  "lend of expert 0 from worker 0 to 1: the expert's lends do "
                  "not stand together"},
        WrongPlan{"FewerTokensThanNone", PlanOf({}, {LendOf(0, 0, 2, -2)}),
                  "lend of expert 0 from worker 0 to 2: -2 tokens; 0 or more, "
                  "or -1 for all"},
        WrongPlan{"ShareOfAll",
                  PlanOf({}, {LendOf(0, 0, 2)}, SplitRule::kShares),
                  "lend of expert 0 from worker 0 to 2: a share of -1; shares "
                  "are 0 to 1000000"},
        WrongPlan{"ShareOverTheWhole",
                  PlanOf({}, {LendOf(0, 0, 2, 1'000'001)}, SplitRule::kShares),
                  "lend of expert 0 from worker 0 to 2: a share of 1000001; "
                  "shares are 0 to 1000000"},
        WrongPlan{"NoSlotLeft",
                  PlanOf({}, {LendOf(0, 0, 1, 1), LendOf(1, 0, 1, 1)}),
                  "lend of expert 1 from worker 0 to 1: worker 1 has only 1 "
                  "spare slots"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(HomesAfterTest, MovedExpertsLiveAtTheirNewHome) {
  EXPECT_THAT(HomesAfter(kHomes, {MoveOf(1, 0, 2), MoveOf(2, 1, 0)}),
              ElementsAre(WorkerRank(0), WorkerRank(2), WorkerRank(0)));
}

}  // namespace
}  // namespace balancemoe
