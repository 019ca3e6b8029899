#include "common/planning/layer_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/planning/testing/random_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

LayerSnapshot TwoWorkers() {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(2, 3);
  const std::vector<int64_t> tokens = {6, 0, 1, 4, 0, 2};
  std::copy(tokens.begin(), tokens.end(), snapshot.tokens.MutableAll().begin());
  snapshot.home_of_expert = {WorkerRank(0), WorkerRank(0), WorkerRank(1)};
  snapshot.spare_slots = {1, 1};
  return snapshot;
}

TEST(LayerLoadsTest, SumsPerExpertAndWorker) {
  const LayerSnapshot snapshot = TwoWorkers();
  const LayerLoads loads(snapshot);

  EXPECT_THAT(loads.tokens_of_expert(), ElementsAre(10, 0, 3));
  EXPECT_EQ(loads.workers()[0], (WorkerTokens{.routed = 7,
                                              .local = 6,
                                              .computed = 10,
                                              .staying = 10,
                                              .staying_experts = 1}));
  EXPECT_EQ(loads.workers()[1], (WorkerTokens{.routed = 6,
                                              .local = 2,
                                              .computed = 3,
                                              .staying = 3,
                                              .staying_experts = 1}));
}

TEST(LayerLoadsTest, LentTokensAreComputedByTheBorrower) {
  const LayerSnapshot snapshot = TwoWorkers();

  const std::vector<WorkerTokens> workers = LayerLoads(snapshot).WorkersUnder(
      {Lend{ExpertId(0), WorkerRank(0), WorkerRank(1)}});

  EXPECT_EQ(workers[0], (WorkerTokens{.routed = 7}));
  EXPECT_EQ(workers[1], (WorkerTokens{.routed = 6,
                                      .local = 6,
                                      .computed = 13,
                                      .staying = 3,
                                      .staying_experts = 1}));
}

TEST(LayerLoadsTest, NoTokenIsLostWhateverIsLent) {
  SnapshotGenerator generator(3);
  for (int round = 0; round < 200; ++round) {
    const LayerSnapshot snapshot = generator.Next(5, 12);
    std::vector<Lend> lends;
    for (int32_t expert = 0; expert < 12; ++expert) {
      const WorkerRank home =
          snapshot.home_of_expert[static_cast<size_t>(expert)];
      const WorkerRank to(static_cast<int32_t>(generator.Draw(0, 4)));
      if (to != home) lends.push_back({ExpertId(expert), home, to});
    }
    const LayerLoads loads(snapshot);
    const std::vector<WorkerRank> computing =
        ComputingWorkers(snapshot.home_of_expert, lends);

    const std::vector<WorkerTokens> workers = loads.WorkersUnder(lends);

    std::vector<int64_t> computed(5);
    std::vector<int64_t> local(5);
    for (int32_t e = 0; e < 12; ++e) {
      const WorkerRank worker = computing[static_cast<size_t>(e)];
      computed[worker.index()] += snapshot.tokens.TokensOfExpert(ExpertId(e));
      local[worker.index()] += snapshot.tokens.At(worker, ExpertId(e));
    }
    for (size_t i = 0; i < workers.size(); ++i) {
      ASSERT_EQ(workers[i].computed, computed[i]);
      ASSERT_EQ(workers[i].local, local[i]);
    }
  }
}

TEST(FindBusiestTest, FirstOfEqualsWithItsLoadOverTheMean) {
  const BusiestWorker busiest = FindBusiest(std::vector<WorkerTokens>{
      {.computed = 4}, {.computed = 10}, {.computed = 10}, {.computed = 0}});

  EXPECT_EQ(busiest.rank, WorkerRank(1));
  EXPECT_DOUBLE_EQ(busiest.times_mean, 10.0 / 6.0);
}

TEST(FindBusiestTest, NoTokensAreBalanced) {
  EXPECT_DOUBLE_EQ(FindBusiest(std::vector<WorkerTokens>(3)).times_mean, 1);
}

}  // namespace
}  // namespace balancemoe
