#include "worker/agent/step_plan_shelf.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace balancemoe::worker {
namespace {

HeldStepPlan Held(uint64_t id, uint64_t placement_version = 0,
                  uint64_t epoch = 3) {
  HeldStepPlan held;
  held.plan.id = PlanId(id);
  held.plan.epoch = JobEpoch(epoch);
  held.plan.generation = Generation(5);
  held.plan.placement_version = placement_version;
  held.digest = 1000 + id;
  return held;
}

StepPlanShelf Holding(const std::vector<uint64_t>& ids) {
  StepPlanShelf shelf;
  shelf.Listen(JobEpoch(3), Generation(5));
  for (const uint64_t id : ids) EXPECT_TRUE(shelf.Deliver(Held(id)));
  return shelf;
}

StepPlanVerdict Settle(const std::vector<StepPlanShelf>& shelves) {
  std::vector<StepPlanOffer> offers;
  for (const StepPlanShelf& shelf : shelves) {
    offers.push_back(shelf.Offer(/*willing=*/true, 0));
  }
  return SettleStepPlan(offers);
}

TEST(StepPlanShelfTest, TheNewestThatEverybodyHoldsIsAgreedOn) {
  EXPECT_EQ(Settle({Holding({1, 2, 3}), Holding({1, 2}), Holding({2, 3})}).plan,
            PlanId(2));
  EXPECT_EQ(Settle({Holding({1, 2, 3}), Holding({1, 3})}).plan, PlanId(3));
}

TEST(StepPlanShelfTest, NothingInCommonIsNoPlan) {
  EXPECT_EQ(Settle({Holding({1, 2}), Holding({3})}).plan, PlanId(0));
  EXPECT_EQ(Settle({Holding({1}), Holding({})}).plan, PlanId(0));
  EXPECT_TRUE(Settle({Holding({1}), Holding({})}).willing);
}

TEST(StepPlanShelfTest, OneWhoDoesNotWantToEndsItForAll) {
  StepPlanOffer unwilling = Holding({1}).Offer(/*willing=*/false, 0);
  const StepPlanOffer willing = Holding({1}).Offer(/*willing=*/true, 0);
  EXPECT_FALSE(SettleStepPlan({willing, unwilling}).willing);
  EXPECT_EQ(SettleStepPlan({willing, unwilling}).plan, PlanId(0));
  EXPECT_EQ(SettleStepPlan({willing, willing}).plan, PlanId(1));
}

TEST(StepPlanShelfTest, SameIdWithOtherBytesIsNotTheSamePlan) {
  const StepPlanOffer one = Holding({1, 2}).Offer(true, 0);
  StepPlanOffer other = one;
  other.held[0].digest ^= 1;
  EXPECT_EQ(SettleStepPlan({one, other}).plan, PlanId(1));
}

TEST(StepPlanShelfTest, KeepsTheNewestFew) {
  const StepPlanShelf shelf = Holding({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(shelf.Find(PlanId(2)), nullptr);
  ASSERT_NE(shelf.Find(PlanId(3)), nullptr);
  EXPECT_EQ(shelf.Find(PlanId(3))->id, PlanId(3));
  EXPECT_EQ(shelf.Offer(true, 0).held[0].id, 6u);
  EXPECT_EQ(shelf.Offer(true, 0).held[3].id, 3u);
}

TEST(StepPlanShelfTest, OlderOrForeignPlansAreNotKept) {
  StepPlanShelf shelf = Holding({7});
  EXPECT_FALSE(shelf.Deliver(Held(7)));
  EXPECT_FALSE(shelf.Deliver(Held(6)));
  EXPECT_FALSE(shelf.Deliver(Held(8, 0, /*epoch=*/2)));
  shelf.Listen(JobEpoch(4), Generation(5));
  EXPECT_EQ(shelf.Find(PlanId(7)), nullptr);
  EXPECT_TRUE(shelf.Deliver(Held(1, 0, /*epoch=*/4)));
}

TEST(StepPlanShelfTest, PlansForOtherHomesAreNotOffered) {
  StepPlanShelf shelf = Holding({1});
  EXPECT_TRUE(shelf.Deliver(Held(2, /*placement_version=*/1)));
  EXPECT_EQ(shelf.Offer(true, 0).held[0].id, 1u);
  EXPECT_EQ(shelf.Offer(true, 1).held[0].id, 2u);
  EXPECT_EQ(shelf.Offer(true, 1).held[1].id, 0u);
}

// Messages are lost to anybody in any pattern: what is agreed on, everybody
// has.
TEST(StepPlanShelfTest, WhatIsAgreedOnEverybodyHolds) {
  std::mt19937_64 random(11);
  int agreed = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<StepPlanShelf> shelves;
    for (int worker = 0; worker < 3; ++worker) {
      std::vector<uint64_t> ids;
      for (uint64_t id = 1; id < 12; ++id) {
        if (random() % 3 != 0) ids.push_back(id);
      }
      shelves.push_back(Holding(ids));
    }
    const PlanId plan = Settle(shelves).plan;
    if (plan == PlanId(0)) continue;
    ++agreed;
    for (const StepPlanShelf& shelf : shelves) {
      ASSERT_NE(shelf.Find(plan), nullptr);
    }
  }
  EXPECT_GT(agreed, 1000);
}

}  // namespace
}  // namespace balancemoe::worker
