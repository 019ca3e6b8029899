#include "worker/train/recorded_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ScaleToTokensTest, KeepsProportionsAndGivesRemaindersToTheLargest) {
  EXPECT_THAT(ScaleToTokens({10, 20, 30, 40}, 50, 2),
              ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(ScaleToTokens({1, 1, 1}, 5, 2), ElementsAre(4, 3, 3));
  EXPECT_THAT(ScaleToTokens({5, 4, 1}, 7, 1), ElementsAre(3, 3, 1));
}

TEST(ScaleToTokensTest, NoExpertGetsATokenTwice) {
  // Half of all is the most with top-2; the rest keeps its proportions.
  EXPECT_THAT(ScaleToTokens({80, 10, 5, 5}, 10, 2), ElementsAre(10, 5, 3, 2));
  EXPECT_THAT(ScaleToTokens({7, 0, 0}, 4, 2), ElementsAre(4, 2, 2));
  EXPECT_THAT(ScaleToTokens({0, 0, 0}, 4, 3), ElementsAre(4, 4, 4));
}

TEST(ScaleToTokensTest, LowerExpertsWinTiesOfRemaindersWithManyDigits) {
  // 20/3, 20/3 and 2/3: two are missing.
  EXPECT_THAT(ScaleToTokens({10, 10, 1}, 7, 2), ElementsAre(7, 7, 0));
  // 4/3, 28/3, 4 and 16/3: one is missing.
  EXPECT_THAT(ScaleToTokens({1, 7, 3, 4}, 20, 1), ElementsAre(2, 9, 4, 5));
  // Weights as large as a trace may hold.
  constexpr int64_t kLarge = int64_t{1} << 50;
  EXPECT_THAT(ScaleToTokens({kLarge, kLarge + 1, kLarge}, 1000000, 1),
              ElementsAre(333333, 333334, 333333));
}

TEST(ScaleToTokensTest, AlwaysAddsUpWithinTheBounds) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 3000; ++round) {
    const auto experts = static_cast<size_t>(1 + random() % 12);
    const auto top_k = static_cast<int32_t>(1 + random() % experts);
    const auto tokens = static_cast<int64_t>(random() % 50);
    std::vector<int64_t> weights;
    for (size_t e = 0; e < experts; ++e) {
      weights.push_back(random() % 3 == 0 ? 0 : int64_t(random() % 1000));
    }
    const auto counts = ScaleToTokens(weights, tokens, top_k);
    ASSERT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}),
              tokens * top_k);
    for (const int64_t count : counts) {
      ASSERT_GE(count, 0);
      ASSERT_LE(count, tokens);
    }
    ASSERT_EQ(counts, ScaleToTokens(weights, tokens, top_k));
  }
}

// Two iterations, 10 and 20, of layers 0, 2 and 4 by `ranks` ranks; 4 experts.
// Rank r of layer l in iteration i routes 100 i + 10 l + r + e to expert e.
Trace SmallTrace(int32_t ranks) {
  Trace trace;
  trace.name = "small.csv";
  trace.num_experts = 4;
  trace.num_ranks = ranks;
  trace.layers = {LayerId(0), LayerId(2), LayerId(4)};
  for (const int64_t iteration : {10, 20}) {
    for (const LayerId layer : trace.layers) {
      LoadMatrix tokens(std::max(ranks, 1), 4);
      for (int32_t rank = 0; rank < std::max(ranks, 1); ++rank) {
        int64_t expert = 0;
        for (int64_t& count : tokens.MutableRow(WorkerRank(rank))) {
          count = 100 * iteration + 10 * layer.value() + rank + expert++;
        }
      }
      trace.records.push_back({Iteration(iteration), layer, tokens});
    }
  }
  return trace;
}

RecordedRoutes Routes(int32_t ranks, int32_t workers,
                      const std::string& iterations = "") {
  return *RecordedRoutes::Create(
      SmallTrace(ranks), iterations,
      {.workers = workers, .layers = 2, .experts = 4, .top_k = 1});
}

TEST(RecordedRoutesTest, ConsecutiveRanksFormAWorker) {
  const RecordedRoutes routes = Routes(4, 2);
  EXPECT_EQ(routes.rows(), 2);
  // Ranks 2 and 3 of layer 2 in iteration 20: 2 * (2020 + e) + 5.
  EXPECT_THAT(routes.Counts(1, LayerId(1), WorkerRank(1), 16192),
              ElementsAre(4045, 4047, 4049, 4051));
  // They come again.
  EXPECT_EQ(routes.Counts(3, LayerId(1), WorkerRank(1), 16192),
            routes.Counts(1, LayerId(1), WorkerRank(1), 16192));
}

TEST(RecordedRoutesTest, WorkersShareARank) {
  const RecordedRoutes routes = Routes(2, 4);
  EXPECT_EQ(routes.Counts(0, LayerId(0), WorkerRank(2), 4010),
            routes.Counts(0, LayerId(0), WorkerRank(3), 4010));
  EXPECT_THAT(routes.Counts(0, LayerId(0), WorkerRank(3), 4010),
              ElementsAre(1001, 1002, 1003, 1004));
}

TEST(RecordedRoutesTest, WithoutRanksAllWorkersRouteLikeTheSum) {
  const RecordedRoutes routes = Routes(0, 4);
  EXPECT_EQ(routes.Counts(0, LayerId(0), WorkerRank(0), 4006),
            routes.Counts(0, LayerId(0), WorkerRank(3), 4006));
}

TEST(RecordedRoutesTest, IterationsAreARangeOfTheColumn) {
  const RecordedRoutes routes = Routes(4, 2, "11:21");
  EXPECT_EQ(routes.rows(), 1);
  EXPECT_EQ(routes.Counts(0, LayerId(1), WorkerRank(1), 16192),
            Routes(4, 2).Counts(1, LayerId(1), WorkerRank(1), 16192));
}

TEST(RecordedRoutesTest, WhatDoesNotFitIsNamed) {
  const auto create = [](int32_t workers, int32_t layers, int32_t experts,
                         const std::string& iterations) {
    return RecordedRoutes::Create(SmallTrace(4), iterations,
                                  {.workers = workers,
                                   .layers = layers,
                                   .experts = experts,
                                   .top_k = 1})
        .status();
  };
  const auto invalid = [](const char* text) {
    return IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  };
  EXPECT_THAT(create(3, 2, 4, ""),
              invalid("--route-from: small.csv has 4 ranks for 3 workers; one "
                      "number must divide the other"));
  EXPECT_THAT(create(2, 4, 4, ""),
              invalid("--route-from: small.csv has 3 layers, --layers is 4"));
  EXPECT_THAT(create(2, 2, 8, ""),
              invalid("--route-from: small.csv has 4 experts, --experts is 8"));
  EXPECT_THAT(create(2, 2, 4, "20:10"),
              invalid("--route-iterations: \"20:10\""));
  EXPECT_THAT(create(2, 2, 4, "30:40"),
              invalid("no iteration of small.csv is in 30:40"));
}

}  // namespace
}  // namespace balancemoe::worker
