#include "coordinator/session/job_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace balancemoe::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr JobShape kShape = {
    .world_size = 2, .layers = 1, .experts = 4, .expert_bytes = 1000};
const PolicyChoice kPairwise = {"pairwise", "inline"};

CostModel Model(double us_per_token) {
  return {.expert_launch_us = 1,
          .us_per_token = us_per_token,
          .backward_factor = 2,
          .intra_node = {1, 1e-6},
          .inter_node = {1, 1e-6},
          .overlap_slowdown = 1,
          .host_cpu_us_per_byte = 0,
          .expert_bytes = 1000,
          .token_bytes = 4};
}

// Experts 0 and 1, both at home on worker 0, get everything.
CompleteGather Skewed() {
  CompleteGather gather;
  gather.iteration = Iteration(5);
  gather.tokens = LoadMatrix(2, 4);
  for (const int32_t source : {0, 1}) {
    gather.tokens.MutableRow(WorkerRank(source))[0] = 300;
    gather.tokens.MutableRow(WorkerRank(source))[1] = 200;
  }
  return gather;
}

class JobPlannerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const int32_t rank : {0, 1})
      planner_.SetWorker(WorkerRank(rank), 2, 0);
  }

  JobPlanner planner_{kShape, JobEpoch(7)};
};

TEST_F(JobPlannerTest, WithoutEveryCostModelThereAreNoLendsAndAReason) {
  planner_.SetCostModel(WorkerRank(1), Model(1));

  const PlannedLayer planned =
      planner_.Decide(kPairwise, Generation(2), Skewed());

  EXPECT_THAT(planned.plan.decision.lends, IsEmpty());
  EXPECT_EQ(planned.plan.decision.reason,
            "cost model not yet measured by worker 0");
}

TEST_F(JobPlannerTest, PlanCarriesItsPlaceAndLowersTheImbalance) {
  planner_.SetCostModel(WorkerRank(0), Model(1));
  planner_.SetCostModel(WorkerRank(1), Model(1));

  const PlannedLayer planned =
      planner_.Decide(kPairwise, Generation(2), Skewed());

  EXPECT_EQ(planned.plan.id, PlanId(1));
  EXPECT_EQ(planned.plan.epoch, JobEpoch(7));
  EXPECT_EQ(planned.plan.generation, Generation(2));
  EXPECT_EQ(planned.plan.iteration, Iteration(5));
  EXPECT_EQ(planned.plan.policy, "pairwise@inline");
  ASSERT_EQ(planned.plan.decision.lends.size(), 1u);
  EXPECT_DOUBLE_EQ(planned.imbalance_before, 2.0);
  EXPECT_DOUBLE_EQ(planned.imbalance_after, 1.2);
}

TEST_F(JobPlannerTest, QuotasCountWhereTheyAreComputed) {
  planner_.SetCostModel(WorkerRank(0), Model(1));
  planner_.SetCostModel(WorkerRank(1), Model(1));

  const PlannedLayer planned =
      planner_.Decide({"ultraep", "inline"}, Generation(2), Skewed());

  // Of 1,000 tokens, worker 0 keeps 505: one per cent over the mean.
  EXPECT_THAT(
      planned.plan.decision.lends,
      ElementsAre(Lend{ExpertId(0), WorkerRank(0), WorkerRank(1), 495}));
  EXPECT_DOUBLE_EQ(planned.imbalance_before, 2.0);
  EXPECT_DOUBLE_EQ(planned.imbalance_after, 1.01);
}

TEST_F(JobPlannerTest, PlansByWhereTheExpertsLiveNow) {
  planner_.SetCostModel(WorkerRank(0), Model(1));
  planner_.SetCostModel(WorkerRank(1), Model(1));
  JobPlacement placement = FirstPlacement(kShape.layers, 2, 4);
  ApplyMoves({{LayerId(0), {{ExpertId(1), WorkerRank(0), WorkerRank(1)}}}},
             placement);
  planner_.SetPlacement(placement);
  EXPECT_EQ(planner_.placement_version(), 1u);

  const PlannedLayer planned =
      planner_.Decide(kPairwise, Generation(2), Skewed());

  EXPECT_THAT(planned.plan.decision.lends, IsEmpty());
  EXPECT_DOUBLE_EQ(planned.imbalance_before, 1.2);
}

TEST_F(JobPlannerTest, OlderPlacementIsIgnoredUntilTheWorkersStartOver) {
  JobPlacement placement = FirstPlacement(kShape.layers, 2, 4);
  placement.version = 5;
  planner_.SetPlacement(placement);
  placement.version = 4;
  planner_.SetPlacement(placement);
  EXPECT_EQ(planner_.placement_version(), 5u);

  planner_.ForgetPlacement();
  placement.version = 0;
  planner_.SetPlacement(placement);
  EXPECT_EQ(planner_.placement_version(), 0u);
}

TEST_F(JobPlannerTest, MovesCountWhereTheyArePlannedTo) {
  planner_.SetCostModel(WorkerRank(0), Model(1));
  planner_.SetCostModel(WorkerRank(1), Model(1));

  const PlannedLayer planned =
      planner_.Decide({"pairwise-moves", "inline"}, Generation(2), Skewed());

  EXPECT_EQ(planned.plan.decision.moves.size(), 1u);
  EXPECT_DOUBLE_EQ(planned.imbalance_before, 2.0);
  EXPECT_DOUBLE_EQ(planned.imbalance_after, 1.2);
}

TEST_F(JobPlannerTest, PlanIdsRise) {
  const PlannedLayer first =
      planner_.Decide(kPairwise, Generation(1), Skewed());
  const PlannedLayer second =
      planner_.Decide(kPairwise, Generation(1), Skewed());

  EXPECT_GT(second.plan.id, first.plan.id);
}

TEST_F(JobPlannerTest, ReplacedWorkerMustMeasureAgain) {
  planner_.SetCostModel(WorkerRank(0), Model(1));
  planner_.SetCostModel(WorkerRank(1), Model(1));
  planner_.SetWorker(WorkerRank(1), 2, 0);

  const PlannedLayer planned =
      planner_.Decide(kPairwise, Generation(1), Skewed());

  EXPECT_THAT(planned.plan.decision.reason, HasSubstr("worker 1"));
}

TEST_F(JobPlannerTest, MeanOfHugeCostModelsStaysFinite) {
  planner_.SetCostModel(WorkerRank(0), Model(1.5e308));
  planner_.SetCostModel(WorkerRank(1), Model(1.5e308));

  // Must not end the process; what it plans is of no interest.
  planner_.Decide(kPairwise, Generation(1), Skewed());
}

}  // namespace
}  // namespace balancemoe::coordinator
