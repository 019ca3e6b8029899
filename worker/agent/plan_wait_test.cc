#include "worker/agent/plan_wait.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace balancemoe::worker {
namespace {

// Heartbeat 7 is the first one after a miss.
constexpr uint64_t kNext = 7;

void Attach(PlanWait& wait) { wait.Attached(); }
void Detach(PlanWait& wait) { wait.Detached(); }
void Arrive(PlanWait& wait) { wait.Arrived(); }
void Miss(PlanWait& wait) { wait.Missed(kNext); }
void AnswerToAnEarlierHeartbeat(PlanWait& wait) { wait.Answered(kNext - 1); }
void Answer(PlanWait& wait) { wait.Answered(kNext); }
void Nothing(PlanWait&) {}

void Trust(PlanWait& wait) { Attach(wait); }
void Doubt(PlanWait& wait) {
  Attach(wait);
  Miss(wait);
}

using Act = void (*)(PlanWait&);

struct StepCase {
  std::string name;
  Act state;
  Act event;
  bool may_wait;
};

class PlanWaitTest : public ::testing::TestWithParam<StepCase> {};

TEST_P(PlanWaitTest, WalksStateTimesEvent) {
  PlanWait wait;
  GetParam().state(wait);
  GetParam().event(wait);

  EXPECT_EQ(wait.MayWait(), GetParam().may_wait);
}

INSTANTIATE_TEST_SUITE_P(
    AllPairs, PlanWaitTest,
    ::testing::Values(
        StepCase{"DetachedAttach", Nothing, Attach, true},
        StepCase{"DetachedDetach", Nothing, Detach, false},
        StepCase{"DetachedArrive", Nothing, Arrive, false},
        StepCase{"DetachedMiss", Nothing, Miss, false},
        StepCase{"DetachedOldAnswer", Nothing, AnswerToAnEarlierHeartbeat,
                 false},
        StepCase{"DetachedAnswer", Nothing, Answer, false},
        StepCase{"TrustingAttach", Trust, Attach, true},
        StepCase{"TrustingDetach", Trust, Detach, false},
        StepCase{"TrustingArrive", Trust, Arrive, true},
        StepCase{"TrustingMiss", Trust, Miss, false},
        StepCase{"TrustingOldAnswer", Trust, AnswerToAnEarlierHeartbeat, true},
        StepCase{"TrustingAnswer", Trust, Answer, true},
        StepCase{"DoubtingAttach", Doubt, Attach, true},
        StepCase{"DoubtingDetach", Doubt, Detach, false},
        StepCase{"DoubtingArrive", Doubt, Arrive, false},
        StepCase{"DoubtingMiss", Doubt, Miss, false},
        StepCase{"DoubtingOldAnswer", Doubt, AnswerToAnEarlierHeartbeat, false},
        StepCase{"DoubtingAnswer", Doubt, Answer, true}),
    [](const auto& test_case) { return test_case.param.name; });

// Misses in a row, each doubted for as long as is asked; returns how many
// answers the last one wanted.
uint64_t AnswersWantedByMiss(int misses) {
  PlanWait wait;
  wait.Attached();
  uint64_t heartbeat = 1;
  uint64_t wanted = 0;
  for (int miss = 0; miss < misses; ++miss) {
    wait.Missed(heartbeat);
    wanted = 0;
    while (!wait.MayWait()) {
      wait.Answered(heartbeat++);
      ++wanted;
    }
  }
  return wanted;
}

TEST(PlanWaitMissesTest, EachMissInARowWantsTwiceAsManyAnswersUpTo64) {
  EXPECT_EQ(AnswersWantedByMiss(1), 1);
  EXPECT_EQ(AnswersWantedByMiss(2), 2);
  EXPECT_EQ(AnswersWantedByMiss(3), 4);
  EXPECT_EQ(AnswersWantedByMiss(7), 64);
  EXPECT_EQ(AnswersWantedByMiss(20), 64);
}

TEST(PlanWaitMissesTest, APlanForgivesEarlierMisses) {
  PlanWait wait;
  wait.Attached();
  wait.Missed(1);
  wait.Answered(1);
  wait.Arrived();
  wait.Missed(2);
  wait.Answered(2);

  EXPECT_TRUE(wait.MayWait());
}

}  // namespace
}  // namespace balancemoe::worker
