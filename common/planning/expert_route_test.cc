#include "common/planning/expert_route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "common/planning/transfer_route.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

WorkerRank W(int32_t rank) { return WorkerRank(rank); }

// An expert takes 1000 us over a link, and a part `latency_us` more.
RouteRule CheapestWith(double latency_us) {
  RouteRule rule;
  rule.cost.expert_bytes = 1000;
  rule.cost.intra_node = {.latency_us = latency_us, .us_per_byte = 1};
  rule.fan_out = FanOut::kCheapest;
  return rule;
}

TEST(ExpertRouteTest, DefaultSendsFromHomeToEachInTheGivenOrder) {
  const ExpertRoute route = RouteOf({}, W(1), {W(3), W(0), W(2)});

  EXPECT_THAT(route.hops,
              ElementsAre(RouteHop{W(1), W(3)}, RouteHop{W(1), W(0)},
                          RouteHop{W(1), W(2)}));
  EXPECT_EQ(route.parts, 1);
}

TEST(ExpertRouteTest, OneBorrowerGetsItInOnePiece) {
  const ExpertRoute route = RouteOf(CheapestWith(1), W(1), {W(3)});

  EXPECT_THAT(route.hops, ElementsAre(RouteHop{W(1), W(3)}));
  EXPECT_EQ(route.parts, 1);
}

TEST(ExpertRouteTest, ManyBytesGoAlongAChainInPartsOfTheBestSize) {
  // sqrt((3 - 1) * 1000 / 20) = 10
  const ExpertRoute route = RouteOf(CheapestWith(20), W(1), {W(3), W(0), W(2)});

  EXPECT_THAT(route.hops,
              ElementsAre(RouteHop{W(1), W(0)}, RouteHop{W(0), W(2)},
                          RouteHop{W(2), W(3)}));
  EXPECT_EQ(route.parts, 10);
}

TEST(ExpertRouteTest, AChainGoesThroughHomesNodeFirstAndCutsForTheSlowLink) {
  RouteRule rule = CheapestWith(1);
  rule.cost.inter_node = {.latency_us = 40, .us_per_byte = 10};
  rule.node_of_worker = {0, 1, 0, 1, 0};

  // sqrt((4 - 1) * 10000 / 40) = 27.4
  const ExpertRoute route = RouteOf(rule, W(2), {W(3), W(4), W(1), W(0)});

  EXPECT_THAT(route.hops,
              ElementsAre(RouteHop{W(2), W(0)}, RouteHop{W(0), W(4)},
                          RouteHop{W(4), W(1)}, RouteHop{W(1), W(3)}));
  EXPECT_EQ(route.parts, 27);
}

TEST(ExpertRouteTest, PartsAreBoundedWhereLatencyIsNothing) {
  EXPECT_EQ(RouteOf(CheapestWith(0), W(0), {W(1), W(2)}).parts, 32);
}

TEST(ExpertRouteTest, FewBytesGoAlongATree) {
  // Three times 2000 us, against more than 3 * 1000 + 1000 + 2 sqrt(2e6) and,
  // in two rounds, 4000.
  const ExpertRoute route =
      RouteOf(CheapestWith(1000), W(1), {W(3), W(0), W(2)});

  EXPECT_THAT(route.hops,
              ElementsAre(RouteHop{W(1), W(3)}, RouteHop{W(1), W(0)},
                          RouteHop{W(3), W(2)}));
  EXPECT_EQ(route.parts, 1);
}

TEST(ExpertRouteTest, WorkersKnowTheirNeighbours) {
  const ExpertRoute route =
      RouteOf(CheapestWith(1000), W(1), {W(3), W(0), W(2)});

  EXPECT_EQ(route.SenderTo(W(1)), W(1));
  EXPECT_EQ(route.SenderTo(W(2)), W(3));
  EXPECT_THAT(route.ReceiversFrom(W(1)), ElementsAre(W(3), W(0)));
  EXPECT_THAT(route.ReceiversFrom(W(2)), IsEmpty());
}

TEST(ExpertRouteTest, EveryRouteReachesEverybodyOnceFromSomebodyWhoHasIt) {
  for (const double latency_us : {0.0, 1.0, 30.0, 300.0, 1000.0, 1e5}) {
    for (int32_t workers = 3; workers < 20; ++workers) {
      std::vector<WorkerRank> borrowers;
      for (int32_t w = workers; w-- > 1;) borrowers.push_back(W(w));

      const ExpertRoute route =
          RouteOf(CheapestWith(latency_us), W(0), borrowers);

      std::set<WorkerRank> have = {W(0)};
      for (const RouteHop& hop : route.hops) {
        EXPECT_TRUE(have.contains(hop.from));
        EXPECT_TRUE(have.insert(hop.to).second);
      }
      EXPECT_EQ(have.size(), static_cast<size_t>(workers));
    }
  }
}

// Hops in lockstep, a part at a time: the route takes what its time says.
TEST(ExpertRouteTest, ChainTakesTheTimeThatItWasChosenFor) {
  for (const double latency_us : {2.0, 20.0, 50.0}) {
    const RouteRule rule = CheapestWith(latency_us);
    const ExpertRoute route = RouteOf(rule, W(0), {W(1), W(2), W(3), W(4)});

    const double part_us = latency_us + 1000.0 / route.parts;
    const double last_us = (route.parts + 3) * part_us;
    const Route timed = ChooseRoute(rule.cost, 1000, {.near = 4});
    ASSERT_EQ(timed.kind, RouteKind::kRelay);
    EXPECT_NEAR(last_us / timed.duration_us, 1, 0.04) << latency_us;
  }
}

}  // namespace
}  // namespace balancemoe
