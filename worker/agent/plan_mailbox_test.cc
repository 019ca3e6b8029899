#include "worker/agent/plan_mailbox.h"

#include <gtest/gtest.h>

#include <string>

namespace balancemoe::worker {
namespace {

constexpr JobEpoch kEpoch(3);
constexpr Generation kGeneration(2);
constexpr Iteration kNow(10);
constexpr LayerId kLayer(4);

HeldPlan PlanFor(Iteration iteration, LayerId layer) {
  HeldPlan held;
  held.plan.id = PlanId(77);
  held.plan.epoch = kEpoch;
  held.plan.generation = kGeneration;
  held.plan.iteration = iteration;
  held.plan.layer = layer;
  held.digest = 123;
  return held;
}

PlanMailbox MailboxAtLayer() {
  PlanMailbox mailbox;
  mailbox.Listen(kEpoch, kGeneration);
  mailbox.Expect(kNow, kLayer);
  return mailbox;
}

TEST(PlanMailboxTest, KeepsThePlanForThePresentLayerUntilTaken) {
  PlanMailbox mailbox = MailboxAtLayer();

  EXPECT_TRUE(mailbox.Deliver(PlanFor(kNow, kLayer)));
  EXPECT_TRUE(mailbox.settled());
  EXPECT_EQ(mailbox.Take()->plan.id, PlanId(77));
  EXPECT_FALSE(mailbox.Take().has_value());
}

struct DropCase {
  std::string name;
  int64_t iteration;
  int32_t layer;
  uint64_t epoch;
  uint64_t generation;
  int64_t DroppedPlans::*counter;
};

class PlanMailboxDropTest : public ::testing::TestWithParam<DropCase> {};

TEST_P(PlanMailboxDropTest, CountsAndDrops) {
  PlanMailbox mailbox = MailboxAtLayer();
  HeldPlan plan =
      PlanFor(Iteration(GetParam().iteration), LayerId(GetParam().layer));
  plan.plan.epoch = JobEpoch(GetParam().epoch);
  plan.plan.generation = Generation(GetParam().generation);

  EXPECT_FALSE(mailbox.Deliver(plan));
  EXPECT_FALSE(mailbox.settled());
  EXPECT_FALSE(mailbox.Take().has_value());
  EXPECT_EQ(mailbox.dropped().*GetParam().counter, 1);
}

INSTANTIATE_TEST_SUITE_P(
    AllReasons, PlanMailboxDropTest,
    ::testing::Values(
        DropCase{"IterationBefore", 9, 4, 3, 2, &DroppedPlans::older},
        DropCase{"LayerBefore", 10, 3, 3, 2, &DroppedPlans::older},
        DropCase{"IterationBeforeLayerAfter", 9, 5, 3, 2, &DroppedPlans::older},
        DropCase{"IterationAfter", 11, 4, 3, 2, &DroppedPlans::early},
        DropCase{"LayerAfter", 10, 5, 3, 2, &DroppedPlans::early},
        DropCase{"IterationAfterLayerBefore", 11, 0, 3, 2,
                 &DroppedPlans::early},
        DropCase{"EpochBefore", 10, 4, 2, 2, &DroppedPlans::other_epoch},
        DropCase{"EpochAfter", 10, 4, 4, 2, &DroppedPlans::other_epoch},
        DropCase{"GenerationBefore", 10, 4, 3, 1,
                 &DroppedPlans::other_generation},
        DropCase{"GenerationAfter", 10, 4, 3, 3,
                 &DroppedPlans::other_generation}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(PlanMailboxTest, PlanForTheLayerBeforeIsDroppedWhenTheNextBegins) {
  PlanMailbox mailbox = MailboxAtLayer();
  mailbox.Deliver(PlanFor(kNow, kLayer));
  mailbox.Expect(kNow, LayerId(5));

  EXPECT_FALSE(mailbox.settled());
  EXPECT_FALSE(mailbox.Take().has_value());
}

TEST(PlanMailboxTest, SecondPlanForALayerIsSurplus) {
  PlanMailbox mailbox = MailboxAtLayer();
  mailbox.Deliver(PlanFor(kNow, kLayer));
  HeldPlan second = PlanFor(kNow, kLayer);
  second.digest = 456;

  EXPECT_FALSE(mailbox.Deliver(second));
  EXPECT_EQ(mailbox.dropped().surplus, 1);
  EXPECT_EQ(mailbox.Take()->digest, 123);
}

TEST(PlanMailboxTest, PlanAfterTheVoteIsSurplus) {
  PlanMailbox mailbox = MailboxAtLayer();
  mailbox.Take();

  EXPECT_FALSE(mailbox.Deliver(PlanFor(kNow, kLayer)));
  EXPECT_EQ(mailbox.dropped().surplus, 1);
}

TEST(PlanMailboxTest, NoPlanEndsTheWaitForItsLayerOnly) {
  PlanMailbox mailbox = MailboxAtLayer();

  EXPECT_FALSE(mailbox.DeliverNoPlan(Iteration(9), kLayer));
  EXPECT_FALSE(mailbox.DeliverNoPlan(kNow, LayerId(5)));
  EXPECT_FALSE(mailbox.settled());
  EXPECT_TRUE(mailbox.DeliverNoPlan(kNow, kLayer));
  EXPECT_TRUE(mailbox.settled());
  EXPECT_FALSE(mailbox.Take().has_value());
}

TEST(PlanMailboxTest, UnreadablePlanEndsTheWaitAndIsRemembered) {
  PlanMailbox mailbox = MailboxAtLayer();

  EXPECT_TRUE(mailbox.DeliverUnreadable());
  EXPECT_TRUE(mailbox.settled());
  EXPECT_TRUE(mailbox.unreadable());
  EXPECT_EQ(mailbox.dropped().unreadable, 1);
}

TEST(PlanMailboxTest, UnreadablePlanDoesNotReplaceOneThatIsHeld) {
  PlanMailbox mailbox = MailboxAtLayer();
  mailbox.Deliver(PlanFor(kNow, kLayer));

  EXPECT_FALSE(mailbox.DeliverUnreadable());
  EXPECT_FALSE(mailbox.unreadable());
  EXPECT_EQ(mailbox.Take()->digest, 123);
}

}  // namespace
}  // namespace balancemoe::worker
