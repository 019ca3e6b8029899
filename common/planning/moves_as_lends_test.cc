#include "common/planning/moves_as_lends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/token_split.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ExpertId kZero(0);
constexpr ExpertId kOne(1);
constexpr WorkerRank kA(0);
constexpr WorkerRank kB(1);
constexpr WorkerRank kC(2);

// Three workers send 10 tokens each to every one of `experts` experts.
LoadMatrix TenEach(int32_t experts) {
  LoadMatrix tokens(3, experts);
  for (int32_t rank = 0; rank < 3; ++rank) {
    for (int64_t& count : tokens.MutableRow(WorkerRank(rank))) count = 10;
  }
  return tokens;
}

TEST(MovesAsLendsTest, AMoveIsALendOfTheWholeExpert) {
  EXPECT_THAT(MovesAsLends({{kOne, kA, kB}}, {}, TenEach(3)),
              ElementsAre(Lend{kOne, kA, kB, 30}));
}

TEST(MovesAsLendsTest, NothingOfNothing) {
  EXPECT_THAT(MovesAsLends({}, {}, TenEach(3)), IsEmpty());
}

TEST(MovesAsLendsTest, ExpertWithoutTokensStaysWhereItIsUntilTheStepEnds) {
  EXPECT_THAT(MovesAsLends({{kOne, kA, kB}}, {}, LoadMatrix(3, 3)), IsEmpty());
}

TEST(MovesAsLendsTest, WhatTheNewHomeLendsComesFromTheOldOne) {
  EXPECT_THAT(MovesAsLends({{kOne, kA, kB}}, {{kOne, kB, kC, 12}}, TenEach(3)),
              ElementsAre(Lend{kOne, kA, kB, 18}, Lend{kOne, kA, kC, 12}));
}

TEST(MovesAsLendsTest, WhatIsLentBackIsWhatTheOldHomeKeeps) {
  EXPECT_THAT(MovesAsLends({{kOne, kA, kB}}, {{kOne, kB, kA, 12}}, TenEach(3)),
              ElementsAre(Lend{kOne, kA, kB, 18}));
}

TEST(MovesAsLendsTest, OtherLendsFollowInTheirOrder) {
  EXPECT_THAT(
      MovesAsLends({{kOne, kA, kB}},
                   {{kZero, kA, kC, 5}, {ExpertId(2), kC, kA, 7}}, TenEach(3)),
      ElementsAre(Lend{kOne, kA, kB, 30}, Lend{kZero, kA, kC, 5},
                  Lend{ExpertId(2), kC, kA, 7}));
}

// Of `expert`, what each worker computes, [W].
std::vector<int64_t> TokensByWorker(const TokenSplit& split, ExpertId expert) {
  std::vector<int64_t> tokens(static_cast<size_t>(split.num_workers()));
  for (int32_t source = 0; source < split.num_workers(); ++source) {
    for (const SourceShare& part : split.Of(expert, WorkerRank(source))) {
      tokens[part.worker.index()] += part.tokens;
    }
  }
  return tokens;
}

// Whatever is moved and lent, each worker computes the tokens that it would
// compute if the moves had been made before.
TEST(MovesAsLendsTest, WorkersComputeWhatTheyWouldAfterTheMoves) {
  std::mt19937_64 random(7);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  for (int round = 0; round < 500; ++round) {
    const auto workers = static_cast<int32_t>(2 + below(4));
    const auto experts = static_cast<int32_t>(workers + below(6));
    const auto homes = ContiguousPlacement(workers, experts);
    LoadMatrix tokens(workers, experts);
    for (int32_t rank = 0; rank < workers; ++rank) {
      for (int64_t& count : tokens.MutableRow(WorkerRank(rank))) {
        count = below(40);
      }
    }
    std::vector<Move> moves;
    for (int32_t e = 0; e < experts; ++e) {
      const WorkerRank to(static_cast<int32_t>(below(workers)));
      const WorkerRank home = homes[static_cast<size_t>(e)];
      if (to != home && below(2) == 0) moves.push_back({ExpertId(e), home, to});
    }
    const auto homes_after = HomesAfter(homes, moves);
    std::vector<Lend> lends;
    for (int32_t e = 0; e < experts; ++e) {
      const WorkerRank home = homes_after[static_cast<size_t>(e)];
      int64_t left = tokens.TokensOfExpert(ExpertId(e));
      for (int32_t to = 0; to < workers; ++to) {
        if (WorkerRank(to) == home || below(3) != 0) continue;
        const int64_t given = below(left + 1);
        lends.push_back({ExpertId(e), home, WorkerRank(to), given});
        left -= given;
      }
    }

    const TokenSplit after(LayerLoads(tokens, homes_after, {}), lends);
    const TokenSplit now(LayerLoads(tokens, homes, {}),
                         MovesAsLends(moves, lends, tokens));

    for (int32_t e = 0; e < experts; ++e) {
      ASSERT_EQ(TokensByWorker(now, ExpertId(e)),
                TokensByWorker(after, ExpertId(e)))
          << "round " << round << ", expert " << e;
    }
  }
}

}  // namespace
}  // namespace balancemoe
