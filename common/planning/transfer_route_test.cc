#include "common/planning/transfer_route.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace balancemoe {

std::ostream& operator<<(std::ostream& out, RouteKind kind) {
  switch (kind) {
    case RouteKind::kApart:
      return out << "apart";
    case RouteKind::kRelay:
      return out << "relay";
    case RouteKind::kTree:
      return out << "tree";
  }
  return out;
}

namespace {

struct RouteCase {
  std::string name;
  Link intra_node;
  Link inter_node;
  RouteShape shape;
  RouteKind kind;
  double duration_us;
};

class ChooseRouteTest : public ::testing::TestWithParam<RouteCase> {};

// Of 1,000 bytes.
TEST_P(ChooseRouteTest, TakesTheCheapest) {
  const RouteCase& test_case = GetParam();

  const Route route = ChooseRoute({.us_per_token = 1,
                                   .intra_node = test_case.intra_node,
                                   .inter_node = test_case.inter_node},
                                  1000, test_case.shape);

  EXPECT_EQ(route.kind, test_case.kind);
  EXPECT_DOUBLE_EQ(route.duration_us, test_case.duration_us);
}

INSTANTIATE_TEST_SUITE_P(
    Rule, ChooseRouteTest,
    ::testing::Values(
        RouteCase{"OneReceiverNearby",
                  {1, 0.1},
                  {4, 0.5},
                  {.near = 1},
                  RouteKind::kApart,
                  101},
        RouteCase{"OneReceiverFarAway",
                  {1, 0.1},
                  {4, 0.5},
                  {.far = 1, .far_nodes = 1},
                  RouteKind::kApart,
                  504},
        // The two classes side by side. A chain takes 1 + 4 + 500 and more.
        RouteCase{"OneOfEachClass",
                  {1, 0.1},
                  {4, 0.5},
                  {.near = 1, .far = 1, .far_nodes = 1},
                  RouteKind::kApart,
                  504},
        // 5 + 100 + 2 sqrt(4 * 100 * 1), against 505 apart and 3 * 101 as a
        // tree.
        RouteCase{"LargeExpertGoesAlongAChain",
                  {1, 0.1},
                  {9, 9},
                  {.near = 5},
                  RouteKind::kRelay,
                  145},
        // Three hops within nodes and two between: 3 + 8 + 100 + 2 sqrt(4 * 100
        // * 4), against 4 * 104 apart and 3 * 104 as a tree.
        RouteCase{"ChainCrossesOncePerOtherNode",
                  {1, 0.01},
                  {4, 0.1},
                  {.near = 1, .far = 4, .far_nodes = 2},
                  RouteKind::kRelay,
                  191},
        // 3 rounds of 100 + 1; a chain takes 700 + 1 + 2 sqrt(6 * 1 * 100).
        RouteCase{"SmallExpertGoesAsATree",
                  {100, 0.001},
                  {900, 9},
                  {.near = 7},
                  RouteKind::kTree,
                  303},
        RouteCase{"EighthReceiverTakesAnotherRound",
                  {100, 0.001},
                  {900, 9},
                  {.near = 8},
                  RouteKind::kTree,
                  404},
        // Any of its rounds may cross between nodes.
        RouteCase{"TreeGoesAtThePaceOfTheSlowerClass",
                  {1, 0.001},
                  {100, 0.001},
                  {.near = 1, .far = 6, .far_nodes = 6},
                  RouteKind::kTree,
                  303},
        // Apart, along a chain and as a tree all take 8.
        RouteCase{"OfEqualTimesTheSimplest",
                  {4, 0},
                  {9, 9},
                  {.near = 2},
                  RouteKind::kApart,
                  8}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe
