#include "worker/agent/local_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/lend_quotas.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/agent/testing/cheap_transfers.h"
#include "worker/agent/testing/on_all_ranks.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int32_t kWorkers = 3;

constexpr int64_t kExpertBytes = 1000;

LocalAgentOptions TwoLayersOfSixExperts() {
  LocalAgentOptions options;
  options.layers = 2;
  options.experts_per_layer = 6;
  options.expert_bytes = kExpertBytes;
  options.cost_model = CheapTransfers(kExpertBytes);
  return options;
}

// Worker 0's experts get nearly all tokens.
const std::vector<int64_t> kSkewed = {400, 300, 10, 10, 10, 10};

class LocalAgentTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Agent>> Create(
      int32_t rank, const LocalAgentOptions& options) {
    auto transport = hub_.Factory()({.rank = WorkerRank(rank),
                                     .world_size = kWorkers,
                                     .connect_timeout = absl::Seconds(20)},
                                    rendezvous_);
    if (!transport.ok()) return transport.status();
    return LocalAgent::Create(options, *std::move(transport));
  }

  LocalRendezvous rendezvous_;
  LoopbackHub hub_;
};

TEST_F(LocalAgentTest, AllWorkersMakeTheSamePlanOfTheSameCounts) {
  const auto routings = OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, TwoLayersOfSixExperts());
    EXPECT_THAT(agent, IsOk());
    (*agent)->BeginIteration(Iteration(1));
    return (*agent)->PlanLayer(LayerId(0), kSkewed);
  });

  ASSERT_THAT(routings, Each(IsOk()));
  const LayerRouting& first = *routings[0];
  EXPECT_THAT(first.lends, Not(IsEmpty()));
  EXPECT_EQ(first.tokens.TokensOfExpert(ExpertId(0)), 1200);
  EXPECT_GT(first.predicted_us, 0);
  const std::vector<int32_t> spare_slots(kWorkers, 4);
  LayerPlan plan;
  plan.lends = first.lends;
  EXPECT_THAT(ValidatePlan(plan, first.home_of_expert, spare_slots), IsOk());
  EXPECT_THAT(ValidateQuotas(plan, first.tokens), IsOk());
  for (const auto& routing : routings) {
    EXPECT_EQ(routing->lends, first.lends);
    EXPECT_EQ(routing->tokens, first.tokens);
    EXPECT_EQ(routing->plan, PlanId(1));
  }
}

TEST_F(LocalAgentTest, StaticPlansNothing) {
  LocalAgentOptions options = TwoLayersOfSixExperts();
  options.policy = "static";
  const auto lends = OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, options);
    EXPECT_THAT(agent, IsOk());
    EXPECT_EQ((*agent)->policy(), "static@inline");
    const auto routing = (*agent)->PlanLayer(LayerId(0), kSkewed);
    EXPECT_EQ((*agent)->counters().plans_none, 1);
    return routing->lends;
  });

  EXPECT_THAT(lends, Each(IsEmpty()));
}

TEST_F(LocalAgentTest, NoTransfersBeforeAllWorkersReportedACostModel) {
  LocalAgentOptions options = TwoLayersOfSixExperts();
  options.cost_model.reset();
  const auto lends = OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, options);
    EXPECT_THAT(agent, IsOk());
    if (rank != 1) (*agent)->ReportCostModel(CheapTransfers(kExpertBytes));
    const auto before = (*agent)->PlanLayer(LayerId(0), kSkewed);
    EXPECT_THAT(before->lends, IsEmpty());
    if (rank == 1) (*agent)->ReportCostModel(CheapTransfers(kExpertBytes));
    return (*agent)->PlanLayer(LayerId(1), kSkewed)->lends;
  });

  EXPECT_THAT(lends, Each(Not(IsEmpty())));
}

TEST_F(LocalAgentTest, WorkersWithOtherNumbersAreNamed) {
  const auto agents = OnAllRanks(kWorkers, [&](int32_t rank) {
    LocalAgentOptions options = TwoLayersOfSixExperts();
    if (rank == 2) options.experts_per_layer = 7;
    return Create(rank, options).status();
  });

  EXPECT_THAT(agents[0],
              IsStatus(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("worker 2 has 2 layers of 7 experts")));
  EXPECT_THAT(agents[2], HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LocalAgentTest, WorkersWithOtherPoliciesAreRefused) {
  const auto agents = OnAllRanks(kWorkers, [&](int32_t rank) {
    LocalAgentOptions options = TwoLayersOfSixExperts();
    if (rank == 1) options.policy = "static";
    return Create(rank, options).status();
  });

  EXPECT_THAT(agents, Each(IsStatus(absl::StatusCode::kFailedPrecondition,
                                    HasSubstr("different policies"))));
}

TEST_F(LocalAgentTest, WrongLoadsAreInvalid) {
  const auto statuses = OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, TwoLayersOfSixExperts());
    EXPECT_THAT(agent, IsOk());
    EXPECT_THAT((*agent)->PlanLayer(LayerId(2), kSkewed),
                IsStatus(absl::StatusCode::kInvalidArgument,
                         HasSubstr("layer 2: the job has layers 0 to 1")));
    EXPECT_THAT((*agent)->PlanLayer(LayerId(0), {1, 2}),
                IsStatus(absl::StatusCode::kInvalidArgument,
                         HasSubstr("2 loads for 6 experts")));
    return (*agent)->PlanLayer(LayerId(0), {1, 1, 1, 1, 1, -5}).status();
  });

  EXPECT_THAT(statuses, Each(IsStatus(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("expert 5 has a load of -5"))));
}

TEST_F(LocalAgentTest, MovesAreLendsInTheirStepAndHomesAfterIt) {
  LocalAgentOptions options = TwoLayersOfSixExperts();
  options.policy = "pairwise-moves";
  options.ends_steps = true;
  OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, options);
    EXPECT_THAT(agent, IsOk());
    const auto first = (*agent)->PlanLayer(LayerId(0), kSkewed);
    EXPECT_THAT(first, IsOk());
    EXPECT_THAT(first->moves, Not(IsEmpty()));
    EXPECT_EQ(first->lends.size(), first->moves.size());
    EXPECT_EQ(first->home_of_expert, ContiguousPlacement(kWorkers, 6));

    (*agent)->CommitMoves({{LayerId(0), first->moves}});
    const auto second = (*agent)->PlanLayer(LayerId(0), kSkewed);
    EXPECT_THAT(second, IsOk());
    EXPECT_EQ(second->home_of_expert,
              HomesAfter(first->home_of_expert, first->moves));
    EXPECT_THAT(second->moves, IsEmpty());
    return absl::OkStatus();
  });
}

TEST_F(LocalAgentTest, PlansBetweenStepsNeedAJobThatSaysWhenTheyEnd) {
  for (const auto& [policy, does] :
       {std::pair("pairwise-moves@inline", "moves experts"),
        std::pair("adaptive@hybrid", "plans ahead")}) {
    const auto agents = OnAllRanks(kWorkers, [&](int32_t rank) {
      LocalAgentOptions options = TwoLayersOfSixExperts();
      options.policy = policy;
      return Create(rank, options).status();
    });

    EXPECT_THAT(
        agents,
        Each(IsStatus(absl::StatusCode::kFailedPrecondition,
                      HasSubstr(absl::StrCat("policy ", policy, " ", does,
                                             ", which happens between steps, "
                                             "and this job does not")))));
  }
}

TEST_F(LocalAgentTest, PlansAheadServeFromTheSecondStepOn) {
  LocalAgentOptions options = TwoLayersOfSixExperts();
  options.policy = "adaptive@ahead";
  options.ends_steps = true;
  OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, options);
    EXPECT_THAT(agent, IsOk());
    for (int64_t step = 0; step < 3; ++step) {
      (*agent)->BeginIteration(Iteration(step));
      for (const int32_t layer : {0, 1}) {
        const auto planned = (*agent)->PlannedLends(LayerId(layer)).lends;
        const auto routing = (*agent)->PlanLayer(LayerId(layer), kSkewed);
        EXPECT_THAT(routing, IsOk());
        EXPECT_EQ(planned.empty(), step == 0);
        EXPECT_EQ(routing->lends.empty(), step == 0);
        // Only what was planned is used, as the counts want it.
        for (const Lend& lend : routing->lends) {
          EXPECT_TRUE(std::any_of(
              planned.begin(), planned.end(), [&](const Lend& ahead) {
                return ahead.expert == lend.expert && ahead.to == lend.to;
              }));
          EXPECT_GT(lend.tokens, 0);
        }
      }
      EXPECT_THAT((*agent)->EndStep(), IsOk());
    }
    return absl::OkStatus();
  });
}

// As after a group that ended while its workers voted on moves.
TEST_F(LocalAgentTest, WorkersWithOtherHomesDoNotGoOn) {
  const auto statuses = OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, TwoLayersOfSixExperts());
    EXPECT_THAT(agent, IsOk());
    if (rank != 1) {
      (*agent)->CommitMoves(
          {{LayerId(0), {{ExpertId(0), WorkerRank(0), WorkerRank(2)}}}});
    }
    return (*agent)->PlanLayer(LayerId(1), kSkewed).status();
  });

  EXPECT_THAT(statuses[0],
              IsStatus(absl::StatusCode::kFailedPrecondition,
                       "agent: worker 1 has seen 0 changes of homes, this "
                       "worker (0) 1; go on from a checkpoint"));
  EXPECT_THAT(statuses[1], HasCode(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(statuses[2], HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LocalAgentTest, WorkersAtDifferentLayersAreToldSo) {
  const auto statuses = OnAllRanks(kWorkers, [&](int32_t rank) {
    auto agent = Create(rank, TwoLayersOfSixExperts());
    EXPECT_THAT(agent, IsOk());
    (*agent)->BeginIteration(Iteration(5));
    return (*agent)->PlanLayer(LayerId(rank == 2 ? 1 : 0), kSkewed).status();
  });

  EXPECT_THAT(statuses[0],
              IsStatus(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("worker 2 plans layer 1 of iteration 5")));
  EXPECT_THAT(statuses[2], HasCode(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace balancemoe::worker
