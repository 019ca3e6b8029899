#include "common/planning/lanes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace balancemoe {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Pointwise;

using Direction = Lanes::Direction;

// 4 us within a node, 10 us between nodes, whatever the size.
constexpr CostModel kByLatency = {
    .us_per_token = 1, .intra_node = {4, 0}, .inter_node = {10, 0}};

class LanesTest : public ::testing::Test {
 protected:
  void Begin(const CostModel& cost, const std::vector<int32_t>& nodes,
             double free_us = 0) {
    nodes_ = nodes;
    lanes_.Begin(cost, nodes_, free_us);
  }

  std::vector<double> Send(size_t home, const std::vector<size_t>& others,
                           double earliest_us = 0, double bytes = 1000) {
    std::vector<double> arrivals_us(others.size());
    lanes_.Send(Direction::kFromHome, lanes_.RouteTo(home, others, bytes), home,
                others, bytes, earliest_us, absl::MakeSpan(arrivals_us));
    return arrivals_us;
  }

  std::vector<double> Return(size_t home, const std::vector<size_t>& others,
                             double earliest_us = 0, double bytes = 1000) {
    std::vector<double> arrivals_us(others.size());
    lanes_.Send(Direction::kToHome, lanes_.RouteTo(home, others, bytes), home,
                others, bytes, earliest_us, absl::MakeSpan(arrivals_us));
    return arrivals_us;
  }

  std::vector<int32_t> nodes_;
  Lanes lanes_;
};

TEST_F(LanesTest, TransfersOfOneSenderTakeTurns) {
  Begin(kByLatency, {0, 0, 0});

  EXPECT_THAT(Send(0, {1}), ElementsAre(4));
  EXPECT_THAT(Send(0, {2}), ElementsAre(8));
}

TEST_F(LanesTest, TransfersToOneReceiverTakeTurns) {
  Begin(kByLatency, {0, 0, 0});

  EXPECT_THAT(Send(0, {2}), ElementsAre(4));
  EXPECT_THAT(Send(1, {2}), ElementsAre(8));
}

TEST_F(LanesTest, TransfersBothWaysRunSideBySide) {
  Begin(kByLatency, {0, 0});

  EXPECT_THAT(Send(0, {1}), ElementsAre(4));
  EXPECT_THAT(Send(1, {0}), ElementsAre(4));
}

TEST_F(LanesTest, EveryClassHasItsOwnLanes) {
  Begin(kByLatency, {0, 0, 1});

  EXPECT_THAT(Send(0, {1}), ElementsAre(4));
  EXPECT_THAT(Send(0, {2}), ElementsAre(10));
  EXPECT_THAT(Send(0, {1}), ElementsAre(8));
}

TEST_F(LanesTest, NothingStartsBeforeItIsReadyOrTheLanesAreFree) {
  Begin(kByLatency, {0, 0, 0, 0, 0}, -5);
  EXPECT_THAT(Send(0, {1}, -9), ElementsAre(-1));
  EXPECT_THAT(Send(2, {3}, 7), ElementsAre(11));

  lanes_.Reserve(0, 20);
  EXPECT_THAT(Send(4, {0}, 7), ElementsAre(24));
  // Less than it has already been held for.
  lanes_.Reserve(3, 2);
  EXPECT_THAT(Send(1, {3}, 0), ElementsAre(15));
}

TEST_F(LanesTest, WhatComesHomeTakesTheOthersSendingLane) {
  Begin(kByLatency, {0, 0, 0});

  EXPECT_THAT(Return(0, {1}), ElementsAre(4));
  // Home's sending lane is free, its receiving lane and 1's sending lane not.
  EXPECT_THAT(Send(0, {1}), ElementsAre(4));
  EXPECT_THAT(Return(0, {2}), ElementsAre(8));
  EXPECT_THAT(Send(1, {2}), ElementsAre(8));
}

TEST_F(LanesTest, SeveralReceiversApartTakeTurns) {
  Begin(kByLatency, {0, 0, 0, 1});

  EXPECT_EQ(lanes_.RouteTo(0, std::vector<size_t>{1, 2, 3}, 1000).kind,
            RouteKind::kApart);
  EXPECT_THAT(Send(0, {1, 2, 3}), ElementsAre(4, 8, 10));
}

// 1 us and 100 us per 1,000 bytes: a chain of 5 takes 5 + 100 + 2 * 20.
constexpr CostModel kRelay = {.us_per_token = 1,
                              .intra_node = {1, 0.1},
                              .inter_node = {4, 0.1},
                              .expert_bytes = 1000};

TEST_F(LanesTest, ChainHoldsEveryLaneThatItUses) {
  const std::vector<size_t> chain = {1, 2, 3, 4, 5};
  Begin(kRelay, std::vector<int32_t>(8));

  EXPECT_EQ(lanes_.RouteTo(0, chain, 1000).kind, RouteKind::kRelay);
  EXPECT_THAT(Send(0, chain), Pointwise(DoubleEq(), std::vector(5, 145.0)));
  // All but the last pass it on; nobody sends to home.
  EXPECT_THAT(Send(5, {6}), ElementsAre(101));
  EXPECT_THAT(Send(7, {0}), ElementsAre(101));
  EXPECT_THAT(Send(4, {7}), ElementsAre(246));
}

TEST_F(LanesTest, GradientsComeBackAlongTheSameChain) {
  Begin(kRelay, std::vector<int32_t>(8));

  EXPECT_THAT(Return(0, {1, 2, 3, 4, 5}, 10),
              Pointwise(DoubleEq(), std::vector(5, 155.0)));
  // The last in the chain only sends.
  EXPECT_THAT(Send(6, {5}), ElementsAre(101));
  EXPECT_THAT(Send(5, {7}), ElementsAre(256));
}

TEST_F(LanesTest, ChainCrossesBetweenNodesAsSeldomAsItCan) {
  // 1 hop within home's node, 1 to each other node and 1 within each of these.
  Begin(kRelay, {0, 1, 2, 0, 1, 2});

  EXPECT_THAT(Send(0, {1, 2, 3, 4, 5}),
              Pointwise(DoubleEq(), std::vector(5, 3 + 8 + 100 + 80.0)));
  // Home sent within its node only; 3 and 4 left theirs.
  EXPECT_THAT(Send(0, {5}), ElementsAre(104));
  EXPECT_THAT(Send(3, {5}), ElementsAre(191 + 104));
  EXPECT_THAT(Send(4, {0}), ElementsAre(191 + 104));
}

TEST_F(LanesTest, TreeHoldsHomeUntilAllHaveIt) {
  Begin(kByLatency, std::vector<int32_t>(6));

  EXPECT_EQ(lanes_.RouteTo(0, std::vector<size_t>{1, 2, 3}, 1000).kind,
            RouteKind::kTree);
  EXPECT_THAT(Send(0, {1, 2, 3}), ElementsAre(8, 8, 8));
  EXPECT_THAT(Send(0, {4}), ElementsAre(12));
  EXPECT_THAT(Send(5, {2}), ElementsAre(12));
}

TEST_F(LanesTest, BothEndsAreBusyWhileTheyTransfer) {
  Begin(kByLatency, {0, 0, 0});
  Send(0, {1}, 2);

  for (const size_t end : {0, 1}) {
    EXPECT_DOUBLE_EQ(lanes_.busy(end).BusyBefore(3), 1);
    EXPECT_DOUBLE_EQ(lanes_.busy(end).BusyBefore(100), 4);
  }
  EXPECT_TRUE(lanes_.busy(2).empty());
}

TEST_F(LanesTest, HostTimeIsPaidPerByteAndHop) {
  CostModel cost = kRelay;
  cost.host_cpu_us_per_byte = 0.01;
  Begin(cost, std::vector<int32_t>(6));
  Send(0, {1, 2, 3, 4, 5});

  EXPECT_DOUBLE_EQ(lanes_.host_us(0), 10);
  EXPECT_DOUBLE_EQ(lanes_.host_us(1), 20);
  EXPECT_DOUBLE_EQ(lanes_.host_us(5), 10);
}

TEST_F(LanesTest, ContinuedTransferHoldsLanesButPaidItsHostTimeBefore) {
  CostModel cost = kByLatency;
  cost.host_cpu_us_per_byte = 1;
  Begin(cost, {0, 0, 0});

  lanes_.Continue(0, 1, -3, 6);

  EXPECT_DOUBLE_EQ(lanes_.busy(0).BusyBefore(100), 6);
  EXPECT_DOUBLE_EQ(lanes_.busy(1).BusyBefore(100), 6);
  EXPECT_DOUBLE_EQ(lanes_.host_us(0), 0);
  EXPECT_THAT(Send(0, {2}), ElementsAre(10));
  EXPECT_THAT(Send(2, {1}), ElementsAre(10));
  EXPECT_THAT(Send(1, {0}), ElementsAre(4));
}

TEST_F(LanesTest, NewPassForgetsTheLast) {
  CostModel cost = kByLatency;
  cost.host_cpu_us_per_byte = 1;
  Begin(cost, {0, 0});
  Send(0, {1});

  Begin(cost, {0, 0});

  EXPECT_TRUE(lanes_.busy(0).empty());
  EXPECT_DOUBLE_EQ(lanes_.host_us(1), 0);
  EXPECT_THAT(Send(0, {1}), ElementsAre(4));
}

}  // namespace
}  // namespace balancemoe
