// What agents make of a coordinator that does not do as it should. Real gRPC,
// real agents; the coordinator follows a script.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "balancemoe/v1/plan.pb.h"
#include "common/wire/codec.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/agent_job.h"
#include "tests/integration/agent_scripted_coordinator.h"

namespace balancemoe::worker {
namespace {

using Occasion = ScriptedCoordinator::Occasion;
using Messages = ScriptedCoordinator::Messages;
using ::testing::ElementsAre;

// Far longer than a scripted answer takes, for tests in which one comes.
constexpr absl::Duration kPatient = absl::Seconds(10);
// For tests in which none comes to some worker, and others must not miss
// theirs.
constexpr absl::Duration kOnce = absl::Seconds(1);
// For tests in which none comes to anybody.
constexpr absl::Duration kShort = absl::Milliseconds(50);

// Each worker can borrow so many experts.
constexpr int32_t kSlots = 2;

Lend LendOf(int32_t expert, int32_t from, int32_t to,
            int64_t tokens = kAllTokens) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to), tokens};
}

Messages PushLends(const Occasion& occasion, std::vector<Lend> lends,
                   SplitRule split = SplitRule::kExact) {
  Plan plan = occasion.good_plan;
  plan.decision.lends = std::move(lends);
  plan.decision.split = split;
  return {Push(plan)};
}

Messages PushGoodPlan(const Occasion& occasion) {
  return {Push(occasion.good_plan)};
}

class AgentAgreementTest : public ::testing::Test {
 protected:
  void Start(ScriptedCoordinator::Script script,
             absl::Duration plan_deadline = kPatient, int32_t world_size = 3,
             bool answer_heartbeats = true) {
    coordinator_.emplace(
        ScriptedCoordinator::Options{.world_size = world_size,
                                     .script = std::move(script),
                                     .answer_heartbeats = answer_heartbeats});
    job_.emplace(AgentJob::Options{.world_size = world_size,
                                   .coordinator = coordinator_->address(),
                                   .spare_slots = kSlots,
                                   .plan_deadline = plan_deadline,
                                   .policy = "",
                                   .transport = nullptr});
    ASSERT_THAT(job_->Attach(), IsOk());
  }

  std::optional<ScriptedCoordinator> coordinator_;
  std::optional<AgentJob> job_;
};

TEST_F(AgentAgreementTest, PlanThatReachesEverybodyIsUsedByAll) {
  Start(PushGoodPlan);

  for (int i = 0; i < 20; ++i) {
    const AgentJob::Round round = job_->PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.used);
    EXPECT_EQ(round.routings[0].predicted_us, 100);
    EXPECT_EQ(round.routings[0].tokens.TokensOfExpert(ExpertId(0)), 1500);
  }
  EXPECT_EQ(job_->Count(&AgentCounters::plans_used), 60);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
  EXPECT_EQ(job_->agent(0).policy(), "scripted@inline");
}

TEST_F(AgentAgreementTest, QuotasAreDividedAlikeByAllLocalTokensFirst) {
  Start([](const Occasion& occasion) {
    return PushLends(occasion, {LendOf(0, 0, 2, 600), LendOf(0, 0, 1, 300),
                                LendOf(1, 0, 1)});
  });

  const AgentJob::Round round = job_->PlanNextLayer();

  ASSERT_THAT(round.status, IsOk());
  ASSERT_TRUE(round.used);
  const LayerRouting& routing = round.routings[0];
  EXPECT_THAT(routing.lends,
              ElementsAre(LendOf(0, 0, 2, 600), LendOf(0, 0, 1, 300),
                          LendOf(1, 0, 1, 1200)));
  // Each worker routed 500 tokens to expert 0: worker 1 keeps 300 of its own,
  // worker 2 takes 100 of the others, home the rest.
  const WorkerRank w0(0);
  const WorkerRank w1(1);
  const WorkerRank w2(2);
  EXPECT_THAT(routing.split.Of(ExpertId(0), w0),
              ElementsAre(SourceShare{w0, w0, 500}));
  EXPECT_THAT(routing.split.Of(ExpertId(0), w1),
              ElementsAre(SourceShare{w1, w0, 100}, SourceShare{w1, w1, 300},
                          SourceShare{w1, w2, 100}));
  EXPECT_THAT(routing.split.Of(ExpertId(0), w2),
              ElementsAre(SourceShare{w2, w2, 500}));
}

TEST_F(AgentAgreementTest, CountsDecideWhatAPlanLeavesToThem) {
  Start([](const Occasion& occasion) {
    return PushLends(occasion, {LendOf(0, 0, 2, 0), LendOf(1, 0, 1, 0)},
                     SplitRule::kMinMax);
  });

  const AgentJob::Round round = job_->PlanNextLayer();

  ASSERT_THAT(round.status, IsOk());
  ASSERT_TRUE(round.used);
  // 2,820 tokens in all, 60 of them of other experts at home on workers 1
  // and 2.
  EXPECT_THAT(round.routings[0].lends,
              ElementsAre(LendOf(0, 0, 2, 880), LendOf(1, 0, 1, 880)));
}

TEST_F(AgentAgreementTest, OutcomesAreReported) {
  Start(PushGoodPlan);
  job_->PlanNextLayer();

  for (const v1::PlanResult& result : coordinator_->AwaitResults(3)) {
    EXPECT_EQ(result.plan_id(), 100);
    EXPECT_EQ(result.iteration(), 1);
    EXPECT_EQ(result.outcome(), v1::PLAN_OUTCOME_USED);
    EXPECT_EQ(result.layer_us(), 3000);
  }
}

TEST_F(AgentAgreementTest, PlanThatDoesNotReachOneWorkerIsUsedByNone) {
  Start(
      [](const Occasion& occasion) -> Messages {
        if (occasion.rank == WorkerRank(1) &&
            occasion.good_plan.id == PlanId(100)) {
          return {};
        }
        return {Push(occasion.good_plan)};
      },
      kOnce);
  const AgentJob::Round round = job_->PlanNextLayer();

  ASSERT_THAT(round.status, IsOk());
  EXPECT_TRUE(round.idle);
  EXPECT_EQ(job_->Count(&AgentCounters::plans_late), 3);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 1);
  // Once it reaches everybody, plans are used again.
  EXPECT_TRUE(job_->PlanUntil([](const auto& r) { return r.used; }));
}

TEST_F(AgentAgreementTest, NoPlanEndsTheWait) {
  Start([](const Occasion& occasion) -> Messages {
    return {NoPlan(occasion.good_plan.iteration, occasion.good_plan.layer)};
  });
  const AgentJob::Round round = job_->PlanNextLayer();

  ASSERT_THAT(round.status, IsOk());
  EXPECT_TRUE(round.idle);
  EXPECT_EQ(job_->Count(&AgentCounters::plans_none), 3);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
}

TEST_F(AgentAgreementTest, PlanWithoutLendsIsNone) {
  Start([](const Occasion& occasion) -> Messages {
    Plan plan = occasion.good_plan;
    plan.decision.lends.clear();
    return {Push(plan)};
  });

  EXPECT_TRUE(job_->PlanNextLayer().idle);
  EXPECT_EQ(job_->Count(&AgentCounters::plans_none), 3);
}

// A coordinator that answers at once, but with nonsense: nobody acts on it,
// nobody waits for more, and the counters say why.
struct NonsenseCase {
  std::string name;
  ScriptedCoordinator::Script script;
};

class AgentNonsenseTest : public AgentAgreementTest,
                          public ::testing::WithParamInterface<NonsenseCase> {};

TEST_P(AgentNonsenseTest, IsRefusedByAllWithoutWaiting) {
  Start(GetParam().script);

  for (int i = 0; i < 4; ++i) {
    const AgentJob::Round round = job_->PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.idle);
  }
  EXPECT_EQ(job_->Count(&AgentCounters::plans_refused), 12);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
}

Messages PushSpoilt(const Occasion& occasion,
                    const std::function<void(Plan&)>& spoil) {
  Plan plan = occasion.good_plan;
  spoil(plan);
  return {Push(plan)};
}

NonsenseCase Lends(const std::string& name, const std::vector<Lend>& lends) {
  return {name, [lends](const Occasion& occasion) {
            return PushLends(occasion, lends);
          }};
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds, AgentNonsenseTest,
    ::testing::Values(
        NonsenseCase{"AnotherPlanForEachWorker",
                     [](const Occasion& occasion) {
                       return PushSpoilt(occasion, [&](Plan& plan) {
                         plan.decision.reason =
                             std::to_string(occasion.rank.value());
                       });
                     }},
        NonsenseCase{"AnotherPlanForOneWorker",
                     [](const Occasion& occasion) {
                       return PushSpoilt(occasion, [&](Plan& plan) {
                         if (occasion.rank == WorkerRank(2)) {
                           plan.decision.lends.clear();
                         }
                       });
                     }},
        Lends("UnknownExpert", {LendOf(1'000'000, 0, 2)}),
        Lends("NegativeWorker", {LendOf(0, 0, -1)}),
        Lends("FromAWorkerThatIsNotHome", {LendOf(0, 1, 2)}),
        Lends("LentTwice", {LendOf(0, 0, 2), LendOf(0, 0, 2)}),
        Lends("QuotaOverTheCount", {LendOf(0, 0, 2, 1501)}),
        Lends("QuotasTogetherOverTheCount",
              {LendOf(0, 0, 2, 1000), LendOf(0, 0, 1, 501)}),
        Lends("NegativeQuota", {LendOf(0, 0, 2, -7)}),
        Lends("LendsOfAnExpertApart",
              {LendOf(0, 0, 2, 5), LendOf(1, 0, 1, 5), LendOf(0, 0, 1, 5)}),
        Lends("MoreLendsThanSlots",
              {LendOf(0, 0, 2, 5), LendOf(1, 0, 2, 5), LendOf(2, 1, 2, 5)}),
        NonsenseCase{"UnknownSplitRule",
                     [](const Occasion& occasion) -> Messages {
                       v1::Plan plan;
                       plan.ParseFromString(EncodePlan(occasion.good_plan));
                       plan.set_split(static_cast<v1::SplitRule>(9));
                       return {PushBytes(plan.SerializeAsString())};
                     }},
        NonsenseCase{"ForecastNotANumber",
                     [](const Occasion& occasion) {
                       return PushSpoilt(occasion, [](Plan& plan) {
                         plan.decision.predicted_after_us = std::nan("");
                       });
                     }},
        NonsenseCase{"GarbageBytes",
                     [](const Occasion&) -> Messages {
                       return {PushBytes("\x08\xff garbage")};
                     }},
        NonsenseCase{"GarbageForOneWorker",
                     [](const Occasion& occasion) -> Messages {
                       if (occasion.rank == WorkerRank(0)) {
                         return {PushBytes("\x08\xff garbage")};
                       }
                       return {Push(occasion.good_plan)};
                     }}),
    [](const auto& test_case) { return test_case.param.name; });

// A plan that is not for this layer in this life of the job is dropped, and so
// are any number of them; the plan that follows counts.
struct MisplacedCase {
  std::string name;
  std::function<void(Plan&)> misplace;
  int64_t DroppedPlans::*counter;
};

class AgentMisplacedPlanTest
    : public AgentAgreementTest,
      public ::testing::WithParamInterface<MisplacedCase> {};

TEST_P(AgentMisplacedPlanTest, IsDroppedAndCounted) {
  constexpr int kFlood = 200;
  Start([](const Occasion& occasion) {
    Plan misplaced = occasion.good_plan;
    GetParam().misplace(misplaced);
    Messages messages(kFlood, Push(misplaced));
    messages.push_back(Push(occasion.good_plan));
    return messages;
  });
  const AgentJob::Round round = job_->PlanNextLayer();

  ASSERT_THAT(round.status, IsOk());
  EXPECT_TRUE(round.used);
  EXPECT_EQ(round.routings[0].plan, PlanId(100));
  EXPECT_EQ(job_->CountDropped(GetParam().counter), 3 * kFlood);
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds, AgentMisplacedPlanTest,
    ::testing::Values(
        MisplacedCase{"EarlierIteration",
                      [](Plan& plan) { plan.iteration = Iteration(0); },
                      &DroppedPlans::older},
        MisplacedCase{"LaterIteration",
                      [](Plan& plan) { plan.iteration = Iteration(1 << 30); },
                      &DroppedPlans::early},
        MisplacedCase{"LaterLayer",
                      [](Plan& plan) { plan.layer = LayerId(99); },
                      &DroppedPlans::early},
        MisplacedCase{"FormerEpoch",
                      [](Plan& plan) { plan.epoch = JobEpoch(0); },
                      &DroppedPlans::other_epoch},
        MisplacedCase{"NextGeneration",
                      [](Plan& plan) { plan.generation = Generation(2); },
                      &DroppedPlans::other_generation}),
    [](const auto& test_case) { return test_case.param.name; });

TEST_F(AgentAgreementTest, PlanThatComesAfterItsLayerIsDropped) {
  // Each layer's plan comes with the next layer's loads.
  auto before = std::make_shared<std::map<int32_t, Plan>>();
  Start([before](const Occasion& occasion) -> Messages {
    Messages messages;
    const auto late = before->find(occasion.rank.value());
    if (late != before->end()) messages.push_back(Push(late->second));
    messages.push_back(
        NoPlan(occasion.good_plan.iteration, occasion.good_plan.layer));
    (*before)[occasion.rank.value()] = occasion.good_plan;
    return messages;
  });

  for (int i = 0; i < 3; ++i) EXPECT_TRUE(job_->PlanNextLayer().idle);
  EXPECT_EQ(job_->CountDropped(&DroppedPlans::older), 6);
  EXPECT_EQ(job_->Count(&AgentCounters::plans_none), 9);
}

TEST_F(AgentAgreementTest, SilentCoordinatorCostsOneDeadlineInAll) {
  Start([](const Occasion&) -> Messages { return {}; }, kShort,
        /*world_size=*/3, /*answer_heartbeats=*/false);

  for (int i = 0; i < 100; ++i) {
    const AgentJob::Round round = job_->PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.idle);
  }
  for (int32_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(job_->agent(rank).counters().plan_deadlines_missed, 1);
    EXPECT_TRUE(job_->agent(rank).attached());
  }
}

TEST_F(AgentAgreementTest, SilenceTowardsOneWorkerCostsOneDeadlineInAll) {
  Start(
      [](const Occasion& occasion) -> Messages {
        if (occasion.rank == WorkerRank(2)) return {};
        return {Push(occasion.good_plan)};
      },
      kOnce, /*world_size=*/3, /*answer_heartbeats=*/false);

  for (int i = 0; i < 100; ++i) EXPECT_TRUE(job_->PlanNextLayer().idle);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 1);
}

TEST_F(AgentAgreementTest, HeartbeatsWithoutPlansCostEverFewerDeadlines) {
  Start([](const Occasion&) -> Messages { return {}; }, kShort,
        /*world_size=*/1);
  // The second miss wants two answers, and the next regular heartbeat is far
  // off.
  const auto missed_twice = [&](const auto&) {
    return job_->Count(&AgentCounters::plan_deadlines_missed) == 2;
  };
  ASSERT_TRUE(job_->PlanUntil(missed_twice));

  for (int i = 0; i < 100; ++i) EXPECT_TRUE(job_->PlanNextLayer().idle);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 2);
}

}  // namespace
}  // namespace balancemoe::worker
