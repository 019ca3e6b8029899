#include "common/planning/eplb_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/planning/lend_quotas.h"
#include "common/planning/quota_split.h"
#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

// After an iteration with these tokens; the first worker is 0.
LayerSnapshot After(int32_t workers, std::vector<int64_t> tokens_of_expert,
                    const std::vector<int32_t>& homes) {
  LayerSnapshot snapshot =
      SmallSnapshot(workers, std::vector<int64_t>(homes.size()), homes);
  snapshot.tokens = LoadMatrix();
  snapshot.history = {{Iteration(1), std::move(tokens_of_expert)}};
  snapshot.iteration = Iteration(2);
  return snapshot;
}

struct EplbCase {
  std::string name;
  LayerSnapshot snapshot;
  std::vector<Lend> lends;
};

class EplbPolicyTest : public testing::TestWithParam<EplbCase> {};

TEST_P(EplbPolicyTest, Lends) {
  const LayerPlan plan = EplbPolicy().Decide(GetParam().snapshot);

  EXPECT_EQ(plan.lends, GetParam().lends);
  EXPECT_EQ(plan.split, SplitRule::kShares);
}

LayerSnapshot WithSlots(LayerSnapshot snapshot, std::vector<int32_t> slots) {
  snapshot.spare_slots = std::move(slots);
  return snapshot;
}

INSTANTIATE_TEST_SUITE_P(
    Table, EplbPolicyTest,
    testing::Values(
        // Three replicas of expert 0: workers 0, 1 and 0 again; expert 1 on the
        // last place of worker 1.
        EplbCase{"HotExpertGetsTheSpareReplicas",
                 After(2, {30, 10}, {0, 1}),
                 {LendOf(0, 0, 1, 333'333)}},
        // The same packing, but expert 0's home has one replica of three, and
        // expert 1's none: it computes nothing.
        EplbCase{"HomeWithoutAReplicaComputesNothing",
                 After(2, {30, 10}, {1, 0}),
                 {LendOf(0, 1, 0, 666'666), LendOf(1, 0, 1, kShareUnit)}},
        // Replicas of 10 on workers 0, 1, 2 and 0 again, which is full then; 4
        // on worker 1, 3 on worker 2.
        EplbCase{"LighterExpertsFillUp",
                 After(3, {40, 4, 3}, {2, 0, 1}),
                 {LendOf(0, 2, 0, 500'000), LendOf(0, 2, 1, 250'000),
                  LendOf(1, 0, 1, kShareUnit), LendOf(2, 1, 2, kShareUnit)}},
        EplbCase{"WithoutSlotsHomesComputeAll",
                 WithSlots(After(2, {30, 10}, {1, 0}), {0, 0}),
                 {}},
        EplbCase{"NoTokensNoReplicas", After(2, {0, 0}, {0, 1}), {}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(EplbSharesTest, OfAnExpertWithoutHomeReplicaAddUpToAllTokens) {
  const LayerSnapshot snapshot = After(2, {30, 10}, {1, 0});
  const LayerPlan plan = EplbPolicy().Decide(snapshot);
  const LayerLoads actual(std::vector<int64_t>{30, 1001}, 2,
                          snapshot.home_of_expert, {});
  QuotaSplitter splitter;

  EXPECT_EQ(ResolveQuotas(plan, actual, splitter)[1], LendOf(1, 0, 1, 1001));
}

TEST(EplbReasonTest, ForecastsEarlyTransfers) {
  LayerSnapshot snapshot = After(2, {30, 10}, {0, 1});
  snapshot.cost.intra_node.latency_us = 5;
  snapshot.node_of_worker = {0, 0};

  // Exchanges take 5 us each, 20 in all; the copy is there when the layer
  // begins, and its gradient, of 9 tokens, is home long before the end.
  EXPECT_EQ(EplbPolicy().Decide(snapshot).reason,
            "1 lend: worker 0 was 1.50 times the mean, now 1.05; predicted "
            "0.110 -> 0.083 ms");
}

}  // namespace
}  // namespace balancemoe
