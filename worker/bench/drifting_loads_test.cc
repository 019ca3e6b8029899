#include "worker/bench/drifting_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace balancemoe::worker {
namespace {

using ::testing::Each;

constexpr DriftingLoads::Options kOptions = {.assignments_per_worker = 100};

std::vector<int64_t> SumsOfWorkers(const LoadMatrix& loads) {
  std::vector<int64_t> sums;
  for (int32_t w = 0; w < loads.num_workers(); ++w) {
    const auto row = loads.Row(WorkerRank(w));
    sums.push_back(std::accumulate(row.begin(), row.end(), int64_t{0}));
  }
  return sums;
}

TEST(DriftingLoadsTest, EveryWorkerHasAsManyAssignmentsInEveryIteration) {
  DriftingLoads loads(6, 10, kOptions);

  for (int iteration = 0; iteration < 50; ++iteration) {
    EXPECT_THAT(SumsOfWorkers(loads.Next()), Each(100));
  }
}

TEST(DriftingLoadsTest, SourcesOfAnExpertDifferByOneAtMost) {
  DriftingLoads loads(6, 10, kOptions);

  const LoadMatrix first = loads.Next();

  for (int32_t e = 0; e < 10; ++e) {
    const int64_t mean = first.TokensOfExpert(ExpertId(e)) / 6;
    for (int32_t w = 0; w < 6; ++w) {
      const int64_t tokens = first.At(WorkerRank(w), ExpertId(e));
      EXPECT_TRUE(tokens == mean || tokens == mean + 1);
    }
  }
}

TEST(DriftingLoadsTest, SameSeedGivesTheSameCountsThatDrift) {
  DriftingLoads loads(6, 10, kOptions);
  DriftingLoads same(6, 10, kOptions);

  const LoadMatrix first = loads.Next();
  const LoadMatrix second = loads.Next();

  EXPECT_EQ(first, same.Next());
  EXPECT_EQ(second, same.Next());
  EXPECT_FALSE(first == second);
}

}  // namespace
}  // namespace balancemoe::worker
