#include "common/planning/pair_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "common/planning/layer_forecast.h"
#include "common/planning/testing/random_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr WorkerRank kW0(0);
constexpr WorkerRank kW1(1);
constexpr int64_t kAmpleBudget = 1'000'000'000;

PairLends Search(const LayerSnapshot& snapshot, int64_t budget = kAmpleBudget) {
  return FindPairLends(snapshot, KnownLoads(snapshot), kW0, kW1, budget);
}

// Two workers; each routed half of an expert's tokens, so that transfers change
// nothing about who sends how much.
LayerSnapshot Halves(const std::vector<int64_t>& tokens,
                     const std::vector<int32_t>& homes) {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(2, static_cast<int32_t>(tokens.size()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    snapshot.tokens.MutableRow(kW0)[i] = tokens[i] / 2;
    snapshot.tokens.MutableRow(kW1)[i] = tokens[i] - tokens[i] / 2;
    snapshot.home_of_expert.emplace_back(homes[i]);
  }
  snapshot.spare_slots = {4, 4};
  snapshot.cost = {.expert_launch_us = 1, .us_per_token = 1};
  return snapshot;
}

TEST(PairSearchTest, HotWorkerShedsTheExpertThatEvensOut) {
  EXPECT_THAT(Search(Halves({60, 20, 40}, {0, 0, 1})).lends,
              ElementsAre(Lend{ExpertId(1), kW0, kW1}));
}

TEST(PairSearchTest, SingleHotExpertCannotBeHelped) {
  EXPECT_THAT(Search(Halves({90, 2, 2}, {0, 1, 1})).lends, IsEmpty());
}

TEST(PairSearchTest, BalancedPairStays) {
  EXPECT_THAT(Search(Halves({50, 50, 50, 50}, {0, 0, 1, 1})).lends, IsEmpty());
}

TEST(PairSearchTest, SwapWhenOneDirectionAloneDoesNotHelp) {
  // 60 + 50 against 40 + 30: 60 for 40 evens them out.
  EXPECT_THAT(
      Search(Halves({60, 50, 40, 30}, {0, 0, 1, 1})).lends,
      ElementsAre(Lend{ExpertId(0), kW0, kW1}, Lend{ExpertId(2), kW1, kW0}));
}

TEST(PairSearchTest, OfEqualTimesTheOneWithFewerLendsIsChosen) {
  // 20 or 10 + 10 to the other side; launches cost nothing.
  LayerSnapshot snapshot = Halves({40, 20, 10, 10, 40}, {0, 0, 0, 0, 1});
  snapshot.cost.expert_launch_us = 0;

  EXPECT_THAT(Search(snapshot).lends, ElementsAre(Lend{ExpertId(1), kW0, kW1}));
}

TEST(PairSearchTest, TransferThatCostsMoreThanItSavesIsNotMade) {
  LayerSnapshot snapshot = Halves({60, 20, 40}, {0, 0, 1});
  snapshot.cost.intra_node.latency_us = 1000;

  EXPECT_THAT(Search(snapshot).lends, IsEmpty());
}

TEST(PairSearchTest, TransferTakesTheLinkBetweenTheTwo) {
  LayerSnapshot snapshot = Halves({60, 20, 40}, {0, 0, 1});
  snapshot.cost.inter_node.latency_us = 1000;
  EXPECT_THAT(Search(snapshot).lends, SizeIs(1));

  snapshot.node_of_worker = {0, 1};
  EXPECT_THAT(Search(snapshot).lends, IsEmpty());
}

TEST(PairSearchTest, HostTimePerByteMakesOneLargeLendOutOfManySmall) {
  // 34 and 10 leave 70 against 68, 50 alone 64 against 74.
  LayerSnapshot snapshot = Halves({50, 34, 10, 10, 10, 24}, {0, 0, 0, 0, 0, 1});
  snapshot.cost.expert_bytes = 1;
  snapshot.cost.expert_launch_us = 0;
  ASSERT_THAT(Search(snapshot).lends, SizeIs(2));

  snapshot.cost.host_cpu_us_per_byte = 10;

  EXPECT_THAT(Search(snapshot).lends, ElementsAre(Lend{ExpertId(0), kW0, kW1}));
}

TEST(PairSearchTest, SpareSlotsLimitTheLends) {
  LayerSnapshot snapshot = Halves({10, 10, 10, 10, 10, 10}, {0, 0, 0, 0, 0, 0});
  ASSERT_THAT(Search(snapshot).lends, SizeIs(3));

  snapshot.spare_slots = {4, 2};
  EXPECT_THAT(Search(snapshot).lends, SizeIs(2));
  snapshot.spare_slots = {4, 0};
  EXPECT_THAT(Search(snapshot).lends, IsEmpty());
}

// Of the pair of workers 0 and 1, as the whole layer's timing sees them.
double PairTimeUs(const LayerSnapshot& snapshot,
                  const std::vector<Lend>& lends) {
  const LayerTiming timing =
      TimeLayer(KnownLoads(snapshot), snapshot.cost, lends);
  return std::max(timing.workers[0].forward_us, timing.workers[1].forward_us) +
         std::max(timing.workers[0].backward_us, timing.workers[1].backward_us);
}

struct Best {
  double time_us = std::numeric_limits<double>::infinity();
  size_t lends = 0;
};

// Every subset of the pair's experts, lent most tokens first.
Best BruteForce(const LayerSnapshot& snapshot) {
  const LayerLoads loads = KnownLoads(snapshot);
  std::vector<Lend> possible;
  for (size_t i = 0; i < snapshot.home_of_expert.size(); ++i) {
    const WorkerRank home = snapshot.home_of_expert[i];
    if (home.value() > 1) continue;
    possible.push_back({ExpertId(static_cast<int32_t>(i)), home,
                        WorkerRank(1 - home.value())});
  }
  std::stable_sort(
      possible.begin(), possible.end(), [&](const Lend& a, const Lend& b) {
        return loads.TokensOfExpert(a.expert) > loads.TokensOfExpert(b.expert);
      });
  Best best;
  for (uint32_t set = 0; set < 1U << possible.size(); ++set) {
    std::vector<Lend> lends;
    for (size_t i = 0; i < possible.size(); ++i) {
      if ((set >> i & 1U) != 0) lends.push_back(possible[i]);
    }
    if (!ValidateLends(lends, snapshot.home_of_expert, snapshot.spare_slots)
             .ok()) {
      continue;
    }
    const double time_us = PairTimeUs(snapshot, lends);
    const bool faster = time_us < best.time_us - 1e-6;
    if (faster ||
        (time_us < best.time_us + 1e-6 && lends.size() < best.lends)) {
      best = {time_us, lends.size()};
    }
  }
  return best;
}

TEST(PairSearchTest, TenThousandRandomPairsMatchBruteForce) {
  constexpr uint64_t kSeed = 7;
  SnapshotGenerator generator(kSeed);
  int with_lends = 0;
  for (int round = 0; round < 10'000; ++round) {
    // A pair, alone or among others.
    const auto workers = static_cast<int32_t>(generator.Draw(2, 4));
    const auto experts = static_cast<int32_t>(generator.Draw(1, 8));
    const LayerSnapshot snapshot = generator.Next(workers, experts);

    const PairLends found = Search(snapshot);

    const Best best = BruteForce(snapshot);
    ASSERT_TRUE(found.exact);
    ASSERT_TRUE(ValidateLends(found.lends, snapshot.home_of_expert,
                              snapshot.spare_slots)
                    .ok());
    ASSERT_NEAR(PairTimeUs(snapshot, found.lends), best.time_us, 6e-6)
        << "round " << round << ", seed " << kSeed;
    ASSERT_EQ(found.lends.size(), best.lends)
        << "round " << round << ", seed " << kSeed;
    if (!found.lends.empty()) ++with_lends;
  }
  // Else the test would have shown nothing.
  EXPECT_GT(with_lends, 2'000);
}

TEST(PairSearchTest, LargePairWithoutBudgetSaysSoAndIsNotSlower) {
  std::vector<int64_t> tokens(40);
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int64_t>(101 + 37 * i % 64);
  }
  std::vector<int32_t> homes(tokens.size(), 0);
  std::fill(homes.begin() + 25, homes.end(), 1);
  const LayerSnapshot snapshot = Halves(tokens, homes);

  const PairLends found = Search(snapshot, 50);

  EXPECT_FALSE(found.exact);
  EXPECT_LT(PairTimeUs(snapshot, found.lends), PairTimeUs(snapshot, {}));
}

}  // namespace
}  // namespace balancemoe
