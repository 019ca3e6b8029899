#include "common/planning/quota_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "common/planning/layer_snapshot.h"
#include "common/planning/testing/max_flow.h"

namespace balancemoe {
namespace {

using ::testing::IsEmpty;

Replica ReplicaOf(size_t expert, size_t worker) {
  return {ExpertId(static_cast<int32_t>(expert)),
          WorkerRank(static_cast<int32_t>(worker))};
}

// What Split gets, by index.
struct Instance {
  LoadMatrix tokens;
  std::vector<WorkerRank> homes;
  std::vector<int32_t> nodes;
  std::vector<Replica> replicas;

  LayerLoads Loads() const { return LayerLoads(tokens, homes, nodes); }
};

std::vector<int64_t> Split(const Instance& instance) {
  std::vector<int64_t> quotas;
  QuotaSplitter().Split(instance.Loads(), instance.replicas, quotas);
  return quotas;
}

// Draws instances of all kinds; the same seed draws the same ones everywhere.
class InstanceGenerator {
 public:
  explicit InstanceGenerator(uint64_t seed) : random_(seed) {}

  // From `low` to `high`, both included.
  size_t Draw(size_t low, size_t high) {
    return low + random_() % (high - low + 1);
  }

  Instance Next() {
    const size_t workers = Draw(2, 16);
    const size_t experts = Draw(1, 64);
    Instance instance = {
        .tokens = LoadMatrix(static_cast<int32_t>(workers),
                             static_cast<int32_t>(experts)),
        .homes = ContiguousPlacement(static_cast<int32_t>(workers),
                                     static_cast<int32_t>(experts)),
        .nodes = {},
        .replicas = {}};
    DrawTokens(instance.tokens);
    const size_t nodes = std::min<size_t>(Draw(1, 4), workers);
    for (size_t i = 0; i < workers; ++i) {
      instance.nodes.push_back(static_cast<int32_t>(i * nodes / workers));
    }
    DrawReplicas(instance);
    return instance;
  }

 private:
  // Loads of very different sizes, many experts without any.
  void DrawTokens(LoadMatrix& tokens) {
    if (Draw(0, 19) == 0) return;
    const size_t largest = Draw(0, 14);
    const bool sparse = Draw(0, 2) == 0;
    for (int32_t expert = 0; expert < tokens.num_experts(); ++expert) {
      const size_t most = size_t{1} << Draw(0, largest);
      for (int32_t worker = 0; worker < tokens.num_workers(); ++worker) {
        if (sparse && Draw(0, 3) > 0) continue;
        tokens.MutableRow(WorkerRank(worker))[static_cast<size_t>(expert)] =
            static_cast<int64_t>(Draw(0, most));
      }
    }
  }

  void DrawReplicas(Instance& instance) {
    const size_t workers = instance.nodes.size();
    const size_t count = Draw(0, 3 * workers);
    for (size_t i = 0; i < count; ++i) {
      const Replica replica =
          ReplicaOf(Draw(0, instance.homes.size() - 1), Draw(0, workers - 1));
      if (instance.homes[replica.expert.index()] == replica.worker) continue;
      instance.replicas.push_back(replica);
    }
    std::vector<Replica>& replicas = instance.replicas;
    std::sort(replicas.begin(), replicas.end());
    replicas.erase(std::unique(replicas.begin(), replicas.end()),
                   replicas.end());
  }

  std::mt19937_64 random_;
};

std::vector<int64_t> LoadsUnder(const Instance& instance,
                                const std::vector<int64_t>& quotas) {
  std::vector<int64_t> loads(instance.nodes.size());
  for (size_t e = 0; e < instance.homes.size(); ++e) {
    loads[instance.homes[e].index()] +=
        instance.tokens.TokensOfExpert(ReplicaOf(e, 0).expert);
  }
  for (size_t i = 0; i < quotas.size(); ++i) {
    const Replica& replica = instance.replicas[i];
    loads[instance.homes[replica.expert.index()].index()] -= quotas[i];
    loads[replica.worker.index()] += quotas[i];
  }
  return loads;
}

// Whether some split keeps every worker at `peak` tokens or fewer.
bool IsFeasible(const Instance& instance, int64_t peak) {
  const size_t experts = instance.homes.size();
  const size_t workers = instance.nodes.size();
  const size_t source = experts + workers;
  const size_t sink = source + 1;
  MaxFlow flow(sink + 1);
  int64_t total = 0;
  for (size_t e = 0; e < experts; ++e) {
    const int64_t tokens =
        instance.tokens.TokensOfExpert(ReplicaOf(e, 0).expert);
    total += tokens;
    flow.AddEdge(source, e, tokens);
    flow.AddEdge(e, experts + instance.homes[e].index(), tokens);
  }
  for (const Replica& replica : instance.replicas) {
    flow.AddEdge(replica.expert.index(), experts + replica.worker.index(),
                 instance.tokens.TokensOfExpert(replica.expert));
  }
  for (size_t w = 0; w < workers; ++w) flow.AddEdge(experts + w, sink, peak);
  return flow.Run(source, sink) == total;
}

// The lowest peak of any split.
int64_t ExactPeak(const Instance& instance) {
  const std::vector<int64_t> loads = LoadsUnder(instance, {});
  int64_t low = std::accumulate(loads.begin(), loads.end(), int64_t{0}) /
                static_cast<int64_t>(loads.size());
  int64_t high = *std::max_element(loads.begin(), loads.end());
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (IsFeasible(instance, middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

TEST(QuotaSplitTest, FiveThousandRandomSplitsPeakAsLowAsAnyFlow) {
  constexpr uint64_t kSeed = 3;
  InstanceGenerator generator(kSeed);
  QuotaSplitter splitter;
  int lower = 0;
  for (int round = 0; round < 5'000; ++round) {
    const Instance instance = generator.Next();
    std::vector<int64_t> quotas;

    splitter.Split(instance.Loads(), instance.replicas, quotas);

    SCOPED_TRACE(testing::Message() << "round " << round << ", seed " << kSeed);
    const std::vector<int64_t> loads = LoadsUnder(instance, quotas);
    const int64_t peak = *std::max_element(loads.begin(), loads.end());
    const int64_t exact = ExactPeak(instance);
    ASSERT_EQ(splitter.peak(), peak);
    ASSERT_GE(peak, exact);
    ASSERT_LE(peak, exact + std::max<int64_t>(exact / 1000, 1));
    const std::vector<int64_t> at_home = LoadsUnder(instance, {});
    if (peak < *std::max_element(at_home.begin(), at_home.end())) ++lower;
  }
  // Else the test would have shown nothing.
  EXPECT_GT(lower, 2'000);
}

// Every worker shares one expert with the next: the last one's room helps the
// first only if all between them pass tokens on.
TEST(QuotaSplitTest, RoomIsUsedAtTheEndOfALongChainOfHolders) {
  for (const size_t workers : {2, 3, 8, 16, 64}) {
    const auto count = static_cast<int32_t>(workers);
    Instance instance = {.tokens = LoadMatrix(count, count),
                         .homes = ContiguousPlacement(count, count),
                         .nodes = std::vector<int32_t>(workers),
                         .replicas = {}};
    for (size_t e = 0; e + 1 < workers; ++e) {
      instance.tokens.MutableRow(WorkerRank(0))[e] = 640'000;
      instance.replicas.push_back(ReplicaOf(e, e + 1));
    }

    const std::vector<int64_t> loads = LoadsUnder(instance, Split(instance));

    const int64_t mean = 640'000 * (count - 1) / count;
    EXPECT_LE(*std::max_element(loads.begin(), loads.end()), mean + mean / 1000)
        << workers << " workers";
  }
}

TEST(QuotaSplitTest, HomesAndReplicasTogetherComputeEveryTokenOnce) {
  InstanceGenerator generator(5);
  for (int round = 0; round < 2'000; ++round) {
    const Instance instance = generator.Next();

    const std::vector<int64_t> quotas = Split(instance);

    ASSERT_EQ(quotas.size(), instance.replicas.size());
    std::vector<int64_t> at_home;
    for (size_t e = 0; e < instance.homes.size(); ++e) {
      at_home.push_back(instance.tokens.TokensOfExpert(ReplicaOf(e, 0).expert));
    }
    for (size_t i = 0; i < quotas.size(); ++i) {
      ASSERT_GE(quotas[i], 0);
      at_home[instance.replicas[i].expert.index()] -= quotas[i];
    }
    for (const int64_t tokens : at_home) ASSERT_GE(tokens, 0);
  }
}

TEST(QuotaSplitTest, SplitterThatWorkedBeforeGivesTheSameAsAFreshOne) {
  InstanceGenerator generator(7);
  QuotaSplitter splitter;
  for (int round = 0; round < 500; ++round) {
    const Instance instance = generator.Next();
    std::vector<int64_t> quotas;

    splitter.Split(instance.Loads(), instance.replicas, quotas);

    ASSERT_EQ(quotas, Split(instance)) << "round " << round;
  }
}

TEST(QuotaSplitTest, WithoutReplicasThereIsNothingToSplit) {
  Instance instance = InstanceGenerator(9).Next();
  instance.replicas.clear();

  EXPECT_THAT(Split(instance), IsEmpty());
}

struct LocalityCase {
  std::string name;
  // [W, E]
  std::vector<std::vector<int64_t>> tokens;
  std::vector<int32_t> homes;
  std::vector<int32_t> nodes;
  std::vector<Replica> replicas;
  std::vector<int64_t> expected;
};

class LocalityTest : public ::testing::TestWithParam<LocalityCase> {};

TEST_P(LocalityTest, TokensAreComputedNearWhereTheyComeFrom) {
  const LocalityCase& test_case = GetParam();
  const auto workers = static_cast<int32_t>(test_case.tokens.size());
  Instance instance = {
      .tokens =
          LoadMatrix(workers, static_cast<int32_t>(test_case.homes.size())),
      .homes = {},
      .nodes = test_case.nodes,
      .replicas = test_case.replicas};
  for (int32_t worker = 0; worker < workers; ++worker) {
    const auto& row = test_case.tokens[static_cast<size_t>(worker)];
    std::copy(row.begin(), row.end(),
              instance.tokens.MutableRow(WorkerRank(worker)).begin());
  }
  for (const int32_t home : test_case.homes) instance.homes.emplace_back(home);

  EXPECT_EQ(Split(instance), test_case.expected);
}

// Expert 1, at home on the last worker, makes that one the busiest, so that the
// others have room.
INSTANTIATE_TEST_SUITE_P(
    Rule, LocalityTest,
    ::testing::Values(
        LocalityCase{"BelowThePeakEverybodyComputesItsOwn",
                     {{60, 0}, {140, 0}, {0, 300}},
                     {0, 2},
                     {0, 0, 0},
                     {ReplicaOf(0, 1)},
                     {140}},
        // 200 tokens on two workers that have nothing else.
        LocalityCase{"OnlyWhatThePeakNeedsIsComputedElsewhere",
                     {{60, 0}, {140, 0}},
                     {0, 1},
                     {0, 0},
                     {ReplicaOf(0, 1)},
                     {100}},
        // Worker 1 has 60 of expert 1 besides: 100 for each of the two.
        LocalityCase{"LoadOfOtherExpertsCountsTowardsThePeak",
                     {{40, 0}, {100, 60}},
                     {0, 1},
                     {0, 0},
                     {ReplicaOf(0, 1)},
                     {40}},
        // The 50 of worker 2, who has no copy, join the 60 of worker 1.
        LocalityCase{"TokensWithoutACopyGoToTheLeastLoadedHolder",
                     {{80, 0}, {60, 0}, {50, 400}},
                     {0, 2},
                     {0, 0, 0},
                     {ReplicaOf(0, 1)},
                     {110}},
        // Worker 3's 70 stay on its node, at worker 2, though worker 0 has
        // less to do; worker 1's 50 on the other one.
        LocalityCase{"TokensWithoutACopyStayOnTheirNode",
                     {{10, 0}, {50, 0}, {90, 0}, {70, 500}},
                     {0, 3},
                     {0, 0, 1, 1},
                     {ReplicaOf(0, 2)},
                     {160}},
        // Node 2 has no copy: its 30 go to worker 1, the least loaded.
        LocalityCase{"NodeWithoutACopySendsToTheLeastLoadedHolder",
                     {{60, 0}, {40, 0}, {30, 500}},
                     {0, 2},
                     {0, 1, 2},
                     {ReplicaOf(0, 1)},
                     {70}},
        // Each of three computes its own, 100 at most.
        LocalityCase{"SeveralReplicasEachComputeTheirOwn",
                     {{100, 0}, {50, 0}, {80, 0}, {0, 100}},
                     {0, 3},
                     {0, 0, 0, 0},
                     {ReplicaOf(0, 1), ReplicaOf(0, 2)},
                     {50, 80}},
        // 10 tokens are not worth a gradient's way home.
        LocalityCase{"CrumbsStayAtHomeWhereThatRaisesNoPeak",
                     {{60, 0}, {10, 0}, {0, 300}},
                     {0, 2},
                     {0, 0, 0},
                     {ReplicaOf(0, 1)},
                     {0}},
        // Worker 0 alone would have twice the mean.
        LocalityCase{"CrumbsThatThePeakNeedsAreComputed",
                     {{6, 0}, {4, 0}},
                     {0, 1},
                     {0, 0},
                     {ReplicaOf(0, 1)},
                     {5}}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe
