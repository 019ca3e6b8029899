#include "worker/agent/plan_inbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace balancemoe::worker {
namespace {

constexpr Generation kGeneration(2);
constexpr Iteration kNow(10);
constexpr LayerId kLayer(1);
// No test waits that long, unless it is wrong.
constexpr absl::Duration kLong = absl::Seconds(20);

SessionInfo Session(int64_t number, Generation generation = kGeneration) {
  SessionInfo session;
  session.number = number;
  session.fencing.epoch = JobEpoch(1);
  session.fencing.generation = generation;
  return session;
}

HeldPlan PlanForNow() {
  HeldPlan held;
  held.plan.id = PlanId(5);
  held.plan.epoch = JobEpoch(1);
  held.plan.generation = kGeneration;
  held.plan.iteration = kNow;
  held.plan.layer = kLayer;
  held.digest = 99;
  return held;
}

class PlanInboxTest : public ::testing::Test {
 protected:
  void Attach() {
    inbox_.GroupFormed(kGeneration);
    inbox_.OnAttached(Session(1));
  }

  SteadyClock clock_;
  PlanInbox inbox_{clock_};
};

TEST_F(PlanInboxTest, WillingOnceGroupAndSessionAreOfOneGeneration) {
  EXPECT_FALSE(inbox_.Expect(kNow, kLayer));
  inbox_.OnAttached(Session(1));
  EXPECT_FALSE(inbox_.Expect(kNow, kLayer));
  inbox_.GroupFormed(kGeneration);
  EXPECT_TRUE(inbox_.Expect(kNow, kLayer));
  inbox_.OnDetached();
  inbox_.OnAttached(Session(2, Generation(3)));
  EXPECT_FALSE(inbox_.Expect(kNow, kLayer));
  EXPECT_TRUE(inbox_.attached());
}

TEST_F(PlanInboxTest, WaitEndsWithThePlan) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  std::thread coordinator([&] { inbox_.OnPlan(PlanForNow()); });
  const PlanInbox::Received received = inbox_.Await(kLong);
  coordinator.join();

  EXPECT_EQ(received.holding, Holding::kPlan);
  EXPECT_EQ(received.plan->digest, 99);
}

TEST_F(PlanInboxTest, WaitEndsWithWordThatThereIsNone) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  std::thread coordinator([&] { inbox_.OnNoPlan(kNow, kLayer); });
  const PlanInbox::Received received = inbox_.Await(kLong);
  coordinator.join();

  EXPECT_EQ(received.holding, Holding::kNothing);
}

TEST_F(PlanInboxTest, WaitEndsWithTheSession) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  std::thread coordinator([&] { inbox_.OnDetached(); });
  const PlanInbox::Received received = inbox_.Await(kLong);
  coordinator.join();

  EXPECT_EQ(received.holding, Holding::kNothing);
}

TEST_F(PlanInboxTest, NextSessionKnowsNothingOfWhatIsAwaited) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  inbox_.OnDetached();
  inbox_.OnAttached(Session(2));

  EXPECT_EQ(inbox_.Await(kLong).holding, Holding::kNothing);
}

TEST_F(PlanInboxTest, GarbageEndsTheWait) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  inbox_.OnUnreadablePlan(absl::InvalidArgumentError("no plan"));

  EXPECT_EQ(inbox_.Await(kLong).holding, Holding::kInvalid);
}

TEST_F(PlanInboxTest, AfterAMissNotWillingUntilALaterHeartbeatIsAnswered) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  ASSERT_EQ(inbox_.Await(absl::Milliseconds(1)).holding, Holding::kMissed);
  inbox_.Missed(/*next_heartbeat=*/4);

  inbox_.OnAnswer(3);
  EXPECT_FALSE(inbox_.Expect(kNow, LayerId(2)));
  inbox_.OnAnswer(4);
  EXPECT_TRUE(inbox_.Expect(kNow, LayerId(2)));
}

TEST_F(PlanInboxTest, PlanAfterTheDeadlineIsDropped) {
  Attach();
  ASSERT_TRUE(inbox_.Expect(kNow, kLayer));
  ASSERT_EQ(inbox_.Await(absl::Milliseconds(1)).holding, Holding::kMissed);
  inbox_.OnPlan(PlanForNow());

  EXPECT_EQ(inbox_.dropped().surplus, 1);
}

}  // namespace
}  // namespace balancemoe::worker
