#include "coordinator/session/policy_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace balancemoe::coordinator {
namespace {

const PolicyChoice kStatic = {"static", "inline"};
const PolicyChoice kPairwise = {"pairwise", "inline"};

TEST(PolicyScheduleTest, FirstPolicyHoldsForEveryIteration) {
  const PolicySchedule schedule(kStatic);

  EXPECT_EQ(schedule.At(Iteration(0)), kStatic);
  EXPECT_EQ(schedule.At(Iteration(1'000'000)), kStatic);
  EXPECT_EQ(schedule.latest().current, kStatic);
  EXPECT_EQ(schedule.latest().version, 0u);
}

TEST(PolicyScheduleTest, ChangeHoldsFromItsFirstIteration) {
  PolicySchedule schedule(kStatic);

  const auto change = schedule.Set(kPairwise, Iteration(10), Iteration(4));

  EXPECT_EQ(change.previous, kStatic);
  EXPECT_EQ(change.first_iteration, Iteration(10));
  EXPECT_EQ(change.version, 1u);
  EXPECT_EQ(schedule.At(Iteration(9)), kStatic);
  EXPECT_EQ(schedule.At(Iteration(10)), kPairwise);
}

TEST(PolicyScheduleTest, ChangeInThePastTakesEffectAtTheFirstUnbegunIteration) {
  PolicySchedule schedule(kStatic);

  const auto change = schedule.Set(kPairwise, Iteration(0), Iteration(7));

  EXPECT_EQ(change.first_iteration, Iteration(7));
  EXPECT_EQ(schedule.At(Iteration(6)), kStatic);
  EXPECT_EQ(schedule.At(Iteration(7)), kPairwise);
}

TEST(PolicyScheduleTest, AskingForWhatIsSetChangesNothing) {
  PolicySchedule schedule(kStatic);
  schedule.Set(kPairwise, Iteration(10), Iteration(4));

  EXPECT_EQ(schedule.Set(kPairwise, Iteration(10), Iteration(5)).version, 1u);
  EXPECT_EQ(schedule.Set(kPairwise, Iteration(0), Iteration(20)).version, 1u);
}

TEST(PolicyScheduleTest, LaterChangeForgetsWhatWasToFollow) {
  PolicySchedule schedule(kStatic);
  schedule.Set(kPairwise, Iteration(100), Iteration(4));

  const auto change = schedule.Set(kStatic, Iteration(50), Iteration(5));

  EXPECT_EQ(change.previous, kStatic);
  EXPECT_EQ(schedule.At(Iteration(100)), kStatic);
}

}  // namespace
}  // namespace balancemoe::coordinator
