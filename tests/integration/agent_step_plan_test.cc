// Agents whose coordinator plans ahead: late, for some of them, or nonsense.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/status_matchers.h"
#include "tests/integration/agent_job.h"
#include "tests/integration/agent_scripted_coordinator.h"
#include "worker/agent/testing/cheap_transfers.h"

namespace balancemoe::worker {
namespace {

using Messages = ScriptedCoordinator::Messages;
using Occasion = ScriptedCoordinator::Occasion;

constexpr int32_t kWorkers = 3;

// In both layers, worker 0 lends expert 0 to worker 2.
StepPlan GoodStep(const Occasion& occasion) {
  const Plan& good = occasion.good_plan;
  LayerPlan layer = good.decision;
  layer.split = SplitRule::kMinMax;
  return {.id = good.id,
          .epoch = good.epoch,
          .generation = good.generation,
          .first = Iteration(good.iteration.value() + 1),
          .placement_version = 0,
          .policy = good.policy,
          .cost = CheapTransfers(1024),
          .layers = {layer, layer}};
}

class AgentStepPlanTest : public ::testing::Test {
 protected:
  void Start(ScriptedCoordinator::Script script) {
    coordinator_.emplace(
        ScriptedCoordinator::Options{.world_size = kWorkers,
                                     .script = std::move(script),
                                     .policy = "adaptive@ahead"});
    AgentJob::Options options;
    options.world_size = kWorkers;
    options.coordinator = coordinator_->address();
    options.ends_steps = true;
    job_.emplace(options);
    ASSERT_THAT(job_->Attach(), IsOk());
  }

  // Whether all workers carry out the same, whatever that is.
  static bool AllAlike(const AgentJob::Round& round) {
    return round.used || round.idle;
  }

  std::optional<ScriptedCoordinator> coordinator_;
  std::optional<AgentJob> job_;
};

TEST_F(AgentStepPlanTest, PlanThatReachesEverybodyIsUsedByAll) {
  Start([](const Occasion& occasion) {
    return Messages{PushStep(GoodStep(occasion))};
  });
  ASSERT_TRUE(job_->PlanUntil([](const auto& round) { return round.used; }));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(job_->PlanNextLayer().used);
  EXPECT_EQ(job_->agent(2).policy(), "adaptive@ahead");
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
}

// Each worker misses other plans; all go by the same one in each iteration.
TEST_F(AgentStepPlanTest, OfPlansThatReachOnlySomeAllUseTheSame) {
  Start([](const Occasion& occasion) -> Messages {
    const int64_t number = occasion.good_plan.iteration.value();
    if (number % (2 + occasion.rank.value()) == 0) return {};
    return {PushStep(GoodStep(occasion))};
  });
  ASSERT_TRUE(job_->PlanUntil([](const auto& round) { return round.used; }));
  for (int i = 0; i < 100; ++i) {
    const AgentJob::Round round = job_->PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    ASSERT_TRUE(AllAlike(round));
    EXPECT_EQ(round.routings[0].plan, round.routings[2].plan);
    EXPECT_EQ(round.routings[1].plan, round.routings[2].plan);
  }
}

TEST_F(AgentStepPlanTest, OtherBytesForEachWorkerAreUsedByNobody) {
  Start([](const Occasion& occasion) -> Messages {
    StepPlan plan = GoodStep(occasion);
    plan.layers[0].reason = std::to_string(occasion.rank.value());
    return {PushStep(plan)};
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(job_->PlanNextLayer().idle);
}

struct NonsenseStep {
  std::string name;
  std::function<void(StepPlan& plan)> spoil;
};

class AgentNonsenseStepTest
    : public AgentStepPlanTest,
      public ::testing::WithParamInterface<NonsenseStep> {};

TEST_P(AgentNonsenseStepTest, IsCarriedOutByNobodyAndHurtsNobody) {
  Start([](const Occasion& occasion) -> Messages {
    StepPlan plan = GoodStep(occasion);
    GetParam().spoil(plan);
    return {PushStep(plan), PushStepBytes("garbage")};
  });
  for (int i = 0; i < 50; ++i) {
    const AgentJob::Round round = job_->PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.idle);
  }
  EXPECT_TRUE(job_->agent(0).attached());
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds, AgentNonsenseStepTest,
    ::testing::Values(
        NonsenseStep{"TooFewLayers",
                     [](StepPlan& plan) { plan.layers.pop_back(); }},
        NonsenseStep{
            "TooManyLayers",
            [](StepPlan& plan) { plan.layers.push_back(plan.layers[0]); }},
        NonsenseStep{"LendFromAWorkerThatIsNotHome",
                     [](StepPlan& plan) {
                       plan.layers[1].lends[0].from = WorkerRank(1);
                     }},
        NonsenseStep{"UnknownExpert",
                     [](StepPlan& plan) {
                       plan.layers[1].lends[0].expert = ExpertId(-7);
                     }},
        NonsenseStep{"MoveToNobody",
                     [](StepPlan& plan) {
                       plan.layers[0].moves = {
                           {ExpertId(0), WorkerRank(0), WorkerRank(99)}};
                     }},
        NonsenseStep{"ForecastThatIsNoNumber",
                     [](StepPlan& plan) {
                       plan.layers[0].predicted_after_us =
                           std::numeric_limits<double>::quiet_NaN();
                     }},
        NonsenseStep{"NegativeCost",
                     [](StepPlan& plan) { plan.cost.us_per_token = -1; }},
        NonsenseStep{"OtherHomes",
                     [](StepPlan& plan) { plan.placement_version = 3; }},
        NonsenseStep{"OtherEpoch",
                     [](StepPlan& plan) {
                       plan.epoch = JobEpoch(plan.epoch.value() + 1);
                     }},
        NonsenseStep{"OtherGeneration",
                     [](StepPlan& plan) {
                       plan.generation =
                           Generation(plan.generation.value() + 1);
                     }},
        NonsenseStep{"NoId", [](StepPlan& plan) { plan.id = PlanId(0); }}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
