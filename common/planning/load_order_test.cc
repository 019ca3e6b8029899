#include "common/planning/load_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

TEST(LoadOrderTest, MostTokensFirstAndLowestIdAmongEquals) {
  EXPECT_THAT(ExpertsByLoad({3, 5, 0, 5}),
              ElementsAre(ExpertId(1), ExpertId(3), ExpertId(0), ExpertId(2)));
  EXPECT_THAT(
      WorkersByLoad({WorkerTokens{.computed = 1}, WorkerTokens{.computed = 2},
                     WorkerTokens{.computed = 2}}),
      ElementsAre(WorkerRank(1), WorkerRank(2), WorkerRank(0)));
}

TEST(LoadOrderTest, LendsOfOneExpertStandTogetherByBorrower) {
  std::vector<Lend> lends = {LendOf(2, 0, 1, 9), LendOf(1, 0, 2, 1),
                             LendOf(2, 0, 3, 4), LendOf(1, 0, 1, 7)};

  SortByExpert(lends);

  EXPECT_THAT(lends, ElementsAre(LendOf(1, 0, 1, 7), LendOf(1, 0, 2, 1),
                                 LendOf(2, 0, 1, 9), LendOf(2, 0, 3, 4)));
}

}  // namespace
}  // namespace balancemoe
