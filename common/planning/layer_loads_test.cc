#include "common/planning/layer_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <vector>

#include "common/planning/testing/random_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr WorkerRank kW0(0);
constexpr WorkerRank kW1(1);
constexpr WorkerRank kW2(2);

LayerSnapshot Snapshot(const std::vector<std::vector<int64_t>>& tokens,
                       const std::vector<int32_t>& homes,
                       const std::vector<int32_t>& nodes) {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(static_cast<int32_t>(tokens.size()),
                               static_cast<int32_t>(homes.size()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::copy(tokens[i].begin(), tokens[i].end(),
              snapshot.tokens.MutableRow(WorkerRank(static_cast<int32_t>(i)))
                  .begin());
  }
  for (const int32_t home : homes) snapshot.home_of_expert.emplace_back(home);
  snapshot.node_of_worker = nodes;
  snapshot.spare_slots.resize(tokens.size());
  return snapshot;
}

// Experts 0 and 1 live on worker 0, expert 2 on worker 1; worker 2, alone on
// its node, has none.
LayerSnapshot ThreeWorkers() {
  return Snapshot({{6, 0, 1}, {4, 0, 2}, {5, 0, 3}}, {0, 0, 1}, {0, 0, 1});
}

std::vector<WorkerTokens> WorkersUnder(const LayerLoads& loads, ExpertId expert,
                                       const std::vector<ExpertShare>& shares) {
  std::vector<WorkerTokens> workers = loads.workers();
  loads.Apply(expert, shares, absl::MakeSpan(workers));
  return workers;
}

TEST(LayerLoadsTest, SumsPerExpertNodeAndWorker) {
  const LayerSnapshot snapshot = ThreeWorkers();
  const LayerLoads loads = KnownLoads(snapshot);

  EXPECT_THAT(loads.tokens_of_expert(), ElementsAre(15, 0, 6));
  EXPECT_EQ(loads.total_tokens(), 21);
  EXPECT_EQ(loads.OfNode(0, ExpertId(0)), 10);
  EXPECT_EQ(loads.OfNode(1, ExpertId(2)), 3);
  EXPECT_THAT(loads.workers(), ElementsAre(WorkerTokens{.computed = 15,
                                                        .staying = 15,
                                                        .staying_experts = 1,
                                                        .out = {1, 0},
                                                        .in = {4, 5}},
                                           WorkerTokens{.computed = 6,
                                                        .staying = 6,
                                                        .staying_experts = 1,
                                                        .out = {4, 0},
                                                        .in = {1, 3}},
                                           WorkerTokens{.out = {0, 8}}));
}

TEST(LayerLoadsTest, WithoutNodesAllAreOnOne) {
  LayerSnapshot snapshot = ThreeWorkers();
  snapshot.node_of_worker.clear();
  const LayerLoads loads = KnownLoads(snapshot);

  EXPECT_EQ(loads.ClassBetween(kW0, kW2), LinkClass::kIntraNode);
  EXPECT_EQ(loads.workers()[2], (WorkerTokens{.out = {8, 0}}));
}

TEST(LayerLoadsTest, LentExpertIsComputedByTheBorrower) {
  const LayerSnapshot snapshot = ThreeWorkers();
  const LayerLoads loads = KnownLoads(snapshot);

  EXPECT_THAT(
      WorkersUnder(loads, ExpertId(0), {{kW0, 0}, {kW2, 15}}),
      ElementsAre(WorkerTokens{.out = {1, 6}},
                  WorkerTokens{.computed = 6,
                               .staying = 6,
                               .staying_experts = 1,
                               .out = {0, 4},
                               .in = {1, 3}},
                  WorkerTokens{.computed = 15, .out = {0, 3}, .in = {0, 10}}));
}

TEST(LayerLoadsTest, SplitExpertIsComputedByHomeAndBorrower) {
  const LayerSnapshot snapshot = ThreeWorkers();
  const LayerLoads loads = KnownLoads(snapshot);

  // Worker 1 computes its own 4 and 3 of worker 2's 5.
  EXPECT_THAT(
      WorkersUnder(loads, ExpertId(0), {{kW0, 8}, {kW1, 7}}),
      ElementsAre(
          WorkerTokens{.computed = 8,
                       .staying = 8,
                       .staying_experts = 1,
                       .out = {1, 0},
                       .in = {0, 2}},
          WorkerTokens{
              .computed = 13, .staying = 6, .staying_experts = 1, .in = {1, 6}},
          WorkerTokens{.out = {0, 8}}));
}

TEST(AssignSourcesTest, OwnTokensFirstThenThoseOfTheNode) {
  // Workers 0 and 1 are one node, 2 and 3 another.
  const LayerSnapshot snapshot =
      Snapshot({{10}, {20}, {30}, {40}}, {0}, {0, 0, 1, 1});
  const LayerLoads loads = KnownLoads(snapshot);

  // Worker 2 takes its own 30 and 35 from its neighbour, whose last 5 go to
  // worker 0.
  EXPECT_THAT(
      loads.AssignSources(ExpertId(0), {{kW0, 35}, {kW2, 65}}),
      ElementsAre(SourceShare{kW0, kW0, 10}, SourceShare{kW1, kW0, 20},
                  SourceShare{kW2, kW2, 30}, SourceShare{WorkerRank(3), kW0, 5},
                  SourceShare{WorkerRank(3), kW2, 35}));
}

TEST(AssignSourcesTest, ExpertWithoutTokensHasNoSources) {
  const LayerSnapshot snapshot = ThreeWorkers();

  EXPECT_THAT(
      KnownLoads(snapshot).AssignSources(ExpertId(1), {{kW0, 0}, {kW1, 0}}),
      IsEmpty());
}

// Home and some other workers with random shares of the expert's tokens.
std::vector<ExpertShare> RandomShares(const LayerLoads& loads, ExpertId expert,
                                      SnapshotGenerator& generator) {
  std::vector<ExpertShare> shares = {
      {loads.home(expert), loads.TokensOfExpert(expert)}};
  for (int32_t worker = 0; worker < loads.num_workers(); ++worker) {
    if (WorkerRank(worker) == loads.home(expert)) continue;
    if (generator.Draw(0, 2) == 0) continue;
    const int64_t tokens = generator.Draw(0, shares.front().tokens);
    shares.front().tokens -= tokens;
    shares.push_back({WorkerRank(worker), tokens});
  }
  return shares;
}

TEST(AssignSourcesTest, RandomSharesKeepTokensAsNearAsTheyCan) {
  SnapshotGenerator generator(3);
  for (int round = 0; round < 500; ++round) {
    const LayerSnapshot snapshot = generator.Next(6, 4);
    const LayerLoads loads = KnownLoads(snapshot);
    for (int32_t e = 0; e < 4; ++e) {
      const ExpertId expert(e);
      const auto shares = RandomShares(loads, expert, generator);

      const auto parts = loads.AssignSources(expert, shares);

      std::map<WorkerRank, int64_t> of_source;
      std::map<WorkerRank, int64_t> of_worker;
      std::map<WorkerRank, int64_t> own;
      std::map<int32_t, int64_t> within_node;
      for (const SourceShare& part : parts) {
        ASSERT_GT(part.tokens, 0);
        of_source[part.source] += part.tokens;
        of_worker[part.worker] += part.tokens;
        if (part.source == part.worker) own[part.worker] += part.tokens;
        if (loads.ClassBetween(part.source, part.worker) ==
            LinkClass::kIntraNode) {
          within_node[loads.node(part.worker)] += part.tokens;
        }
      }
      std::map<int32_t, int64_t> share_of_node;
      for (const ExpertShare& share : shares) {
        ASSERT_EQ(of_worker[share.worker], share.tokens);
        ASSERT_EQ(own[share.worker],
                  std::min(share.tokens, loads.At(share.worker, expert)));
        share_of_node[loads.node(share.worker)] += share.tokens;
      }
      for (int32_t worker = 0; worker < 6; ++worker) {
        const WorkerRank rank(worker);
        ASSERT_EQ(of_source[rank], loads.At(rank, expert));
        const int32_t node = loads.node(rank);
        ASSERT_EQ(within_node[node],
                  std::min(share_of_node[node], loads.OfNode(node, expert)));
      }
    }
  }
}

// Adds up from nothing what Apply keeps up to date.
void AddExpert(const LayerLoads& loads, ExpertId expert,
               const std::vector<ExpertShare>& shares,
               std::vector<WorkerTokens>& workers) {
  for (const ExpertShare& share : shares) {
    workers[share.worker.index()].computed += share.tokens;
    if (share.worker != loads.home(expert)) continue;
    workers[share.worker.index()].staying += share.tokens;
    workers[share.worker.index()].staying_experts += share.tokens > 0 ? 1 : 0;
  }
  for (const SourceShare& part : loads.AssignSources(expert, shares)) {
    if (part.source == part.worker) continue;
    const auto link =
        static_cast<size_t>(loads.ClassBetween(part.source, part.worker));
    workers[part.source.index()].out[link] += part.tokens;
    workers[part.worker.index()].in[link] += part.tokens;
  }
}

TEST(LayerLoadsTest, ApplyAddsUpWhatAssignSourcesSays) {
  SnapshotGenerator generator(5);
  for (int round = 0; round < 500; ++round) {
    const LayerSnapshot snapshot = generator.Next(5, 12);
    const LayerLoads loads = KnownLoads(snapshot);
    std::vector<WorkerTokens> applied = loads.workers();
    std::vector<WorkerTokens> added(5);
    for (int32_t e = 0; e < 12; ++e) {
      const auto shares = RandomShares(loads, ExpertId(e), generator);

      loads.Apply(ExpertId(e), shares, absl::MakeSpan(applied));

      AddExpert(loads, ExpertId(e), shares, added);
    }
    ASSERT_EQ(applied, added) << "round " << round;
  }
}

TEST(LayerLoadsTest, ApplyToPairAgreesWithApplyForTheTwo) {
  SnapshotGenerator generator(7);
  for (int round = 0; round < 500; ++round) {
    const LayerSnapshot snapshot = generator.Next(5, 6);
    const LayerLoads loads = KnownLoads(snapshot);
    for (int32_t e = 0; e < 6; ++e) {
      const ExpertId expert(e);
      const WorkerRank home = loads.home(expert);
      const WorkerRank borrower(
          static_cast<int32_t>(home.value() + generator.Draw(1, 4)) % 5);
      WorkerTokens home_side = loads.workers()[home.index()];
      WorkerTokens borrower_side = loads.workers()[borrower.index()];

      loads.ApplyToPair(expert, borrower, home_side, borrower_side);

      const std::vector<WorkerTokens> workers = WorkersUnder(
          loads, expert, {{borrower, loads.TokensOfExpert(expert)}});
      ASSERT_EQ(home_side, workers[home.index()]) << "round " << round;
      ASSERT_EQ(borrower_side, workers[borrower.index()]) << "round " << round;
    }
  }
}

TEST(LayerLoadsTest, SumsAreSpreadLikeAnEvenMatrix) {
  const std::vector<int64_t> sums = {17, 0, 8, 3};
  const LayerSnapshot even =
      Snapshot({{5, 0, 2, 1}, {4, 0, 2, 1}, {4, 0, 2, 1}, {4, 0, 2, 0}},
               {0, 1, 2, 3}, {0, 0, 1, 1});
  const LayerLoads of_matrix = KnownLoads(even);

  const LayerLoads of_sums(sums, 4, even.home_of_expert, even.node_of_worker);

  EXPECT_EQ(of_sums.tokens_of_expert(), of_matrix.tokens_of_expert());
  EXPECT_EQ(of_sums.total_tokens(), of_matrix.total_tokens());
  EXPECT_EQ(of_sums.workers(), of_matrix.workers());
  for (int32_t e = 0; e < 4; ++e) {
    const ExpertId expert(e);
    for (const int32_t node : {0, 1}) {
      EXPECT_EQ(of_sums.OfNode(node, expert), of_matrix.OfNode(node, expert));
    }
    for (int32_t worker = 0; worker < 4; ++worker) {
      EXPECT_EQ(of_sums.At(WorkerRank(worker), expert),
                even.tokens.At(WorkerRank(worker), expert));
    }
  }
  const std::vector<ExpertShare> shares = {{kW0, 9}, {kW2, 8}};
  EXPECT_EQ(of_sums.AssignSources(ExpertId(0), shares),
            of_matrix.AssignSources(ExpertId(0), shares));
}

TEST(KnownLoadsTest, WithoutCountsTheLatestHistoryIsSpreadEvenly) {
  LayerSnapshot snapshot = ThreeWorkers();
  snapshot.tokens = LoadMatrix();
  snapshot.history = {{Iteration(1), {90, 90, 90}}, {Iteration(2), {7, 0, 2}}};

  const LayerLoads loads = KnownLoads(snapshot);

  EXPECT_THAT(loads.tokens_of_expert(), ElementsAre(7, 0, 2));
  EXPECT_EQ(loads.At(kW0, ExpertId(0)), 3);
  EXPECT_EQ(loads.At(kW2, ExpertId(0)), 2);
}

TEST(FindBusiestTest, FirstOfEqualsWithItsLoadOverTheMean) {
  const BusiestWorker busiest = FindBusiest(std::vector<WorkerTokens>{
      {.computed = 4}, {.computed = 10}, {.computed = 10}, {.computed = 0}});

  EXPECT_EQ(busiest.rank, WorkerRank(1));
  EXPECT_EQ(busiest.tokens, 10);
  EXPECT_DOUBLE_EQ(busiest.times_mean, 10.0 / 6.0);
}

TEST(FindBusiestTest, NoTokensAreBalanced) {
  EXPECT_DOUBLE_EQ(FindBusiest(std::vector<WorkerTokens>(3)).times_mean, 1);
}

}  // namespace
}  // namespace balancemoe
