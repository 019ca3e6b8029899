#include "worker/agent/step_plan_in_force.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr WorkerRank kA(0);
constexpr WorkerRank kB(1);
const Lend kLend = {ExpertId(0), kA, kB, 0};
const Move kMove = {ExpertId(1), kA, kB};

StepPlan PlanOf(std::vector<Move> moves) {
  StepPlan plan;
  plan.first = Iteration(10);
  plan.layers.resize(2);
  plan.layers[1].moves = std::move(moves);
  plan.layers[1].lends = {kLend};
  return plan;
}

StepPlanInForce Fresh() { return StepPlanInForce(FirstPlacement(2, 2, 4)); }

TEST(StepPlanInForceTest, WithoutAPlanThereIsNothingToDo) {
  StepPlanInForce in_force = Fresh();
  EXPECT_EQ(in_force.usable(), nullptr);
  EXPECT_THAT(in_force.PendingMoves(), IsEmpty());
  EXPECT_THAT(in_force.PlannedLends(LayerId(1)).lends, IsEmpty());
}

TEST(StepPlanInForceTest, PlanWithoutMovesCanBeUsedAtOnce) {
  StepPlanInForce in_force = Fresh();
  in_force.Adopt(PlanOf({}));
  EXPECT_NE(in_force.usable(), nullptr);
  EXPECT_THAT(in_force.PendingMoves(), IsEmpty());
  EXPECT_THAT(in_force.PlannedLends(LayerId(0)).lends, IsEmpty());
  EXPECT_THAT(in_force.PlannedLends(LayerId(1)).lends, ElementsAre(kLend));
}

TEST(StepPlanInForceTest, MovesComeFirstAndOnce) {
  StepPlanInForce in_force = Fresh();
  in_force.Adopt(PlanOf({kMove}));
  EXPECT_EQ(in_force.usable(), nullptr);
  EXPECT_THAT(in_force.PlannedLends(LayerId(1)).lends, IsEmpty());
  EXPECT_THAT(in_force.PendingMoves(),
              ElementsAre(LayerMoves{LayerId(1), {kMove}}));
  // Refused once, they are still to be made.
  EXPECT_THAT(in_force.PendingMoves(),
              ElementsAre(LayerMoves{LayerId(1), {kMove}}));

  in_force.CommitMoves(in_force.PendingMoves());
  EXPECT_EQ(in_force.placement().version, 1u);
  EXPECT_EQ(in_force.homes(LayerId(1))[1], kB);
  EXPECT_NE(in_force.usable(), nullptr);
  EXPECT_THAT(in_force.PendingMoves(), IsEmpty());
  EXPECT_THAT(in_force.PlannedLends(LayerId(1)).lends, ElementsAre(kLend));
}

TEST(StepPlanInForceTest, HomesThatChangeOtherwiseEndAPlan) {
  StepPlanInForce in_force = Fresh();
  in_force.Adopt(PlanOf({}));
  in_force.CommitMoves({{LayerId(0), {kMove}}});
  EXPECT_EQ(in_force.usable(), nullptr);
  EXPECT_THAT(in_force.PendingMoves(), IsEmpty());
}

TEST(StepPlanInForceTest, ServesForAWhileWithoutWordFromTheCoordinator) {
  StepPlanInForce in_force = Fresh();
  in_force.Adopt(PlanOf({}));
  in_force.BeginIteration(Iteration(10 + StepPlanInForce::kLongest));
  EXPECT_NE(in_force.usable(), nullptr);
  in_force.BeginIteration(Iteration(11 + StepPlanInForce::kLongest));
  EXPECT_EQ(in_force.usable(), nullptr);
}

}  // namespace
}  // namespace balancemoe::worker
