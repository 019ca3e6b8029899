#include "worker/transport/streamed/exchange_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Pair = std::pair<int32_t, int32_t>;

TEST(ExchangeGroupsTest, EverySendMeetsItsReceiveWithinAGroup) {
  for (const int32_t ranks : {1, 2, 3, 16, 17, 18, 64}) {
    const size_t groups = ExchangeGroups(WorkerRank(0), ranks, 32).size();
    std::set<Pair> all;
    for (size_t group = 0; group < groups; ++group) {
      std::set<Pair> sends;
      std::set<Pair> receives;
      for (int32_t rank = 0; rank < ranks; ++rank) {
        const auto steps = ExchangeGroups(WorkerRank(rank), ranks, 32)[group];
        EXPECT_LE(2 * steps.size(), 32u);
        for (const ExchangeStep& step : steps) {
          sends.insert({rank, step.to.value()});
          receives.insert({step.from.value(), rank});
        }
      }
      EXPECT_EQ(sends, receives) << ranks << " ranks, group " << group;
      all.merge(sends);
    }
    EXPECT_THAT(all, SizeIs(ranks * (ranks - 1)));
  }
}

TEST(ExchangeGroupsTest, StepsGoRoundTheRanks) {
  EXPECT_THAT(
      ExchangeGroups(WorkerRank(1), 3, 2),
      ElementsAre(ElementsAre(ExchangeStep{WorkerRank(2), WorkerRank(0)}),
                  ElementsAre(ExchangeStep{WorkerRank(0), WorkerRank(2)})));
}

TEST(BroadcastGroupsTest, EveryPeerIsInOneGroup) {
  EXPECT_THAT(BroadcastGroups(WorkerRank(2), 4, 2),
              ElementsAre(ElementsAre(WorkerRank(3), WorkerRank(0)),
                          ElementsAre(WorkerRank(1))));
  EXPECT_THAT(BroadcastGroups(WorkerRank(0), 1, 2), IsEmpty());
}

}  // namespace
}  // namespace balancemoe::worker
