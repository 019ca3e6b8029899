#include "common/planning/lend_quotas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "common/planning/layer_snapshot.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

constexpr WorkerRank kW0(0);
constexpr WorkerRank kW1(1);

// Expert e lives on worker e; its tokens come from all evenly.
LayerLoads LoadsOf(const std::vector<int64_t>& tokens) {
  const auto count = static_cast<int32_t>(tokens.size());
  return LayerLoads(tokens, count, ContiguousPlacement(count, count), {});
}

Lend LendOf(int32_t expert, int32_t to, int64_t tokens) {
  return {ExpertId(expert), WorkerRank(expert), WorkerRank(to), tokens};
}

// Tokens of each lend, in the order of the plan.
std::vector<int64_t> Resolve(SplitRule split, std::vector<Lend> lends,
                             const std::vector<int64_t>& tokens) {
  LayerPlan plan;
  plan.split = split;
  plan.lends = std::move(lends);
  QuotaSplitter splitter;
  std::vector<int64_t> quotas;
  for (const Lend& lend : ResolveQuotas(plan, LoadsOf(tokens), splitter)) {
    quotas.push_back(lend.tokens);
  }
  return quotas;
}

TEST(ResolveQuotasTest, LendsKeepTheirOrderAndEnds) {
  LayerPlan plan;
  plan.lends = {LendOf(2, 0, 5), LendOf(0, 1, kAllTokens)};
  QuotaSplitter splitter;

  EXPECT_THAT(ResolveQuotas(plan, LoadsOf({10, 10, 10}), splitter),
              ElementsAre(LendOf(2, 0, 5), LendOf(0, 1, 10)));
}

TEST(ResolveQuotasTest, ExactTokensAreTakenAsTheyAre) {
  EXPECT_THAT(Resolve(SplitRule::kExact,
                      {LendOf(0, 1, 30), LendOf(0, 2, 0), LendOf(1, 2, 7)},
                      {100, 50, 0}),
              ElementsAre(30, 0, 7));
}

TEST(ResolveQuotasTest, AllTokensAreWhatTheOthersLeave) {
  EXPECT_THAT(Resolve(SplitRule::kExact,
                      {LendOf(0, 1, 30), LendOf(0, 2, kAllTokens),
                       LendOf(1, 2, kAllTokens)},
                      {100, 50, 0}),
              ElementsAre(30, 70, 50));
}

TEST(ResolveQuotasTest, NobodyComputesMoreTokensThanThereAre) {
  EXPECT_THAT(Resolve(SplitRule::kExact,
                      {LendOf(0, 1, 30), LendOf(0, 2, 30), LendOf(1, 2, 9)},
                      {40, 0, 0}),
              ElementsAre(30, 10, 0));
}

TEST(ResolveQuotasTest, SharesAddUpWhateverTheCounts) {
  const std::vector<Lend> thirds = {
      LendOf(0, 1, 333'333), LendOf(0, 2, 333'333), LendOf(0, 3, 333'334)};

  EXPECT_THAT(Resolve(SplitRule::kShares, thirds, {100, 0, 0, 0}),
              ElementsAre(33, 33, 34));
  EXPECT_THAT(Resolve(SplitRule::kShares, thirds, {2, 0, 0, 0}),
              ElementsAre(0, 1, 1));
  EXPECT_THAT(Resolve(SplitRule::kShares, thirds, {0, 0, 0, 0}),
              ElementsAre(0, 0, 0));
}

TEST(ResolveQuotasTest, SharesOfEveryExpertStartOver) {
  EXPECT_THAT(Resolve(SplitRule::kShares,
                      {LendOf(0, 1, 250'000), LendOf(1, 2, 250'000),
                       LendOf(1, 0, 500'000)},
                      {80, 40, 0}),
              ElementsAre(20, 10, 20));
}

TEST(ResolveQuotasTest, SharesOverTheWholeEndWithIt) {
  EXPECT_THAT(
      Resolve(SplitRule::kShares,
              {LendOf(0, 1, 700'000), LendOf(0, 2, 700'000)}, {10, 0, 0}),
      ElementsAre(7, 3));
}

TEST(ResolveQuotasTest, SharesOfTheLargestLoadsDoNotOverflow) {
  const int64_t most = 1024 * kMostTokens;

  EXPECT_THAT(Resolve(SplitRule::kShares,
                      {LendOf(0, 1, kShareUnit / 2), LendOf(0, 2, 500'000)},
                      {most, 0, 0}),
              ElementsAre(most / 2, most / 2));
}

TEST(ResolveQuotasTest, MinMaxSplitsEvenlyInTheOrderOfThePlan) {
  // Worker 2 has 30 tokens of expert 2; 40 make the peak.
  EXPECT_THAT(Resolve(SplitRule::kMinMax, {LendOf(0, 2, 9), LendOf(0, 1, 9)},
                      {90, 0, 30}),
              ElementsAre(10, 40));
}

TEST(ResolveQuotasTest, MinMaxIsWhatTheSplitterSays) {
  const std::vector<int64_t> tokens = {900, 50, 600, 70};
  std::vector<int64_t> expected;
  QuotaSplitter splitter;
  splitter.Split(LoadsOf(tokens),
                 std::vector<Replica>{{ExpertId(0), kW1},
                                      {ExpertId(0), WorkerRank(3)},
                                      {ExpertId(2), kW0},
                                      {ExpertId(2), kW1}},
                 expected);

  EXPECT_THAT(Resolve(SplitRule::kMinMax,
                      {LendOf(2, 1, 0), LendOf(2, 0, 0), LendOf(0, 3, 0),
                       LendOf(0, 1, 0)},
                      tokens),
              ElementsAre(expected[3], expected[2], expected[1], expected[0]));
}

TEST(ValidateQuotasTest, PlansThatLendNoMoreThanThereIsPass) {
  LoadMatrix loads(2, 2);
  loads.MutableRow(kW0)[0] = 30;
  loads.MutableRow(kW1)[0] = 10;
  LayerPlan plan;
  plan.lends = {LendOf(0, 1, 25), LendOf(0, 2, 15), LendOf(1, 0, kAllTokens)};
  EXPECT_THAT(ValidateQuotas(plan, loads), IsOk());

  plan.lends = {LendOf(0, 1, 25), LendOf(0, 2, kAllTokens)};
  EXPECT_THAT(ValidateQuotas(plan, loads), IsOk());

  plan.split = SplitRule::kMinMax;
  plan.lends = {LendOf(0, 1, 1'000)};
  EXPECT_THAT(ValidateQuotas(plan, loads), IsOk());
}

TEST(ValidateQuotasTest, QuotasOverTheCountAreRefusedWithTheNumbers) {
  LoadMatrix loads(2, 2);
  loads.MutableRow(kW0)[0] = 30;
  loads.MutableRow(kW1)[0] = 10;
  LayerPlan plan;
  plan.lends = {LendOf(0, 1, 25), LendOf(0, 2, 16)};
  EXPECT_THAT(ValidateQuotas(plan, loads),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "lend of expert 0 from worker 0 to 2: a quota of 16 "
                       "tokens; the expert has 15 left of 40"));

  // Nothing is left after all; sums of quotas never overflow.
  plan.lends = {LendOf(0, 1, kAllTokens),
                LendOf(0, 2, std::numeric_limits<int64_t>::max())};
  EXPECT_THAT(ValidateQuotas(plan, loads),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "lend of expert 0 from worker 0 to 2: a quota of "
                       "9223372036854775807 tokens; the expert has 0 left of "
                       "40"));
}

}  // namespace
}  // namespace balancemoe
