#include "common/planning/token_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/planning/lend_quotas.h"
#include "common/planning/testing/random_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr WorkerRank kW0(0);
constexpr WorkerRank kW1(1);
constexpr WorkerRank kW2(2);

LoadMatrix MatrixOf(int32_t workers, int32_t experts,
                    const std::vector<int64_t>& tokens) {
  LoadMatrix matrix(workers, experts);
  std::copy(tokens.begin(), tokens.end(), matrix.MutableAll().begin());
  return matrix;
}

TEST(TokenSplitTest, WithoutLendsAllTokensGoHome) {
  const LoadMatrix tokens = MatrixOf(2, 2,
                                     {5, 0,  // routed by worker 0
                                      2, 7});
  const std::vector<WorkerRank> homes = {kW0, kW1};

  const TokenSplit split(LayerLoads(tokens, homes, {}), {});

  EXPECT_EQ(split.num_workers(), 2);
  EXPECT_EQ(split.num_experts(), 2);
  EXPECT_THAT(split.Of(ExpertId(0), kW0),
              ElementsAre(SourceShare{kW0, kW0, 5}));
  EXPECT_THAT(split.Of(ExpertId(0), kW1),
              ElementsAre(SourceShare{kW1, kW0, 2}));
  EXPECT_THAT(split.Of(ExpertId(1), kW0), IsEmpty());
  EXPECT_THAT(split.Of(ExpertId(1), kW1),
              ElementsAre(SourceShare{kW1, kW1, 7}));
}

TEST(TokenSplitTest, HoldersKeepTheirOwnTokensAndTheRestIsDividedByQuota) {
  const LoadMatrix tokens = MatrixOf(3, 1, {60, 30, 10});
  const std::vector<WorkerRank> homes = {kW0};

  // Home keeps 45 of its own 60, worker 1 its 30 and ten more.
  const TokenSplit split(
      LayerLoads(tokens, homes, {}),
      {{ExpertId(0), kW0, kW1, 40}, {ExpertId(0), kW0, kW2, 15}});

  EXPECT_THAT(split.Of(ExpertId(0), kW0),
              ElementsAre(SourceShare{kW0, kW0, 45}, SourceShare{kW0, kW1, 10},
                          SourceShare{kW0, kW2, 5}));
  EXPECT_THAT(split.Of(ExpertId(0), kW1),
              ElementsAre(SourceShare{kW1, kW1, 30}));
  EXPECT_THAT(split.Of(ExpertId(0), kW2),
              ElementsAre(SourceShare{kW2, kW2, 10}));
}

TEST(TokenSplitTest, LendsOfAnExpertNeedNotStandTogether) {
  const LoadMatrix tokens = MatrixOf(3, 2, {9, 9, 0, 0, 0, 0});
  const std::vector<WorkerRank> homes = {kW0, kW0};

  const TokenSplit split(LayerLoads(tokens, homes, {}),
                         {{ExpertId(0), kW0, kW1, 3},
                          {ExpertId(1), kW0, kW1, 0},
                          {ExpertId(0), kW0, kW2, 6}});

  EXPECT_THAT(split.Of(ExpertId(0), kW0),
              ElementsAre(SourceShare{kW0, kW1, 3}, SourceShare{kW0, kW2, 6}));
  EXPECT_THAT(split.Of(ExpertId(1), kW0),
              ElementsAre(SourceShare{kW0, kW0, 9}));
}

// Any workers but home may borrow any part; the split rule divides the counts.
std::vector<Lend> DrawLends(const LayerSnapshot& snapshot,
                            SnapshotGenerator& random) {
  LayerPlan plan;
  plan.split = SplitRule::kMinMax;
  for (int32_t e = 0; e < snapshot.num_experts(); ++e) {
    const ExpertId expert(e);
    for (int32_t w = 0; w < snapshot.num_workers(); ++w) {
      const WorkerRank home = snapshot.home_of_expert[expert.index()];
      if (home == WorkerRank(w) || random.Draw(0, 2) > 0) continue;
      plan.lends.push_back({expert, home, WorkerRank(w), 0});
    }
  }
  QuotaSplitter splitter;
  return ResolveQuotas(plan, KnownLoads(snapshot), splitter);
}

int64_t QuotaOf(const std::vector<Lend>& lends, ExpertId expert,
                WorkerRank worker, int64_t tokens, WorkerRank home) {
  int64_t lent = 0;
  for (const Lend& lend : lends) {
    if (lend.expert != expert) continue;
    if (lend.to == worker) return lend.tokens;
    lent += lend.tokens;
  }
  return worker == home ? tokens - lent : 0;
}

TEST(TokenSplitTest, NoTokenIsLostAndEveryQuotaIsMetLocalTokensFirst) {
  SnapshotGenerator random(11);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    const auto workers = static_cast<int32_t>(random.Draw(1, 6));
    const LayerSnapshot snapshot =
        random.Next(workers, static_cast<int32_t>(random.Draw(1, 9)));
    const LayerLoads loads = KnownLoads(snapshot);
    const std::vector<Lend> lends = DrawLends(snapshot, random);

    const TokenSplit split(loads, lends);

    for (int32_t e = 0; e < snapshot.num_experts(); ++e) {
      const ExpertId expert(e);
      std::vector<int64_t> computed(static_cast<size_t>(workers));
      std::vector<int64_t> kept(static_cast<size_t>(workers));
      for (int32_t s = 0; s < workers; ++s) {
        int64_t sent = 0;
        const WorkerRank* last = nullptr;
        for (const SourceShare& part : split.Of(expert, WorkerRank(s))) {
          EXPECT_EQ(part.source, WorkerRank(s));
          EXPECT_GT(part.tokens, 0);
          EXPECT_TRUE(last == nullptr || *last < part.worker);
          last = &part.worker;
          sent += part.tokens;
          computed[part.worker.index()] += part.tokens;
          if (part.worker == part.source) {
            kept[part.worker.index()] = part.tokens;
          }
        }
        EXPECT_EQ(sent, loads.At(WorkerRank(s), expert));
      }
      for (int32_t w = 0; w < workers; ++w) {
        const WorkerRank worker(w);
        const int64_t quota =
            QuotaOf(lends, expert, worker, loads.TokensOfExpert(expert),
                    loads.home(expert));
        EXPECT_EQ(computed[worker.index()], quota);
        EXPECT_EQ(kept[worker.index()],
                  std::min(quota, loads.At(worker, expert)));
      }
    }
  }
}

}  // namespace
}  // namespace balancemoe
