#include "worker/train/quota_routing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct QuotaCase {
  std::string name;
  QuotaSpec spec;
  std::vector<int64_t> counts;
};

class QuotaCountsTest : public ::testing::TestWithParam<QuotaCase> {};

TEST_P(QuotaCountsTest, CountsAreThoseOfTheTable) {
  const auto counts = QuotaCounts(GetParam().spec);

  ASSERT_THAT(counts, IsOk());
  EXPECT_EQ(*counts, GetParam().counts);
}

INSTANTIATE_TEST_SUITE_P(
    All, QuotaCountsTest,
    ::testing::Values(
        // 0.8 in proportion 1, 1/2, 1/3, 1/4: 0.384, 0.192, 0.128, 0.096.
        QuotaCase{"HotWorkerGetsHarmonicShares",
                  {1.6, 2, 8, 2, 1000},
                  {768, 384, 256, 192, 100, 100, 100, 100}},
        QuotaCase{
            "OneIsPerfectlyBalanced", {1, 2, 4, 1, 400}, {100, 100, 100, 100}},
        // 1 in proportion 1, 1/2 is 2/3, 1/3: capped at a worker's fair share.
        QuotaCase{"ExcessOverAFairShareGoesToTheNext",
                  {2, 2, 4, 1, 100},
                  {50, 50, 0, 0}},
        // Above one third of all, an expert would meet tokens twice.
        QuotaCase{"ExcessOverOnePerTokenGoesToTheNext",
                  {1.5, 2, 8, 3, 100},
                  {100, 62, 36, 27, 19, 19, 19, 18}},
        // Rounded down 4, 2, 0, 0; the largest remainders take the rest.
        QuotaCase{"RemaindersRoundUpTheLargestFirst",
                  {1.75, 2, 4, 1, 8},
                  {4, 3, 1, 0}},
        // Worker 0 is home of experts 0 and 1, worker 1 of 2, worker 2 of 3
        // and 4.
        QuotaCase{"UnequalWorkersShareTheRestEqually",
                  {1.5, 3, 6, 1, 1200},
                  {400, 200, 150, 150, 150, 150}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(QuotaRoutingTest, ImbalanceOutOfRangeNamesTheFlagAndTheLimit) {
  QuotaSpec spec{2.5, 2, 8, 2, 100};
  EXPECT_THAT(QuotaCounts(spec),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--imbalance: 2.5 is not between 1 and 2")));
  spec.imbalance = 0.5;
  EXPECT_THAT(QuotaCounts(spec), HasCode(absl::StatusCode::kInvalidArgument));
  // One expert per worker can at most take what one worker takes anyway.
  EXPECT_THAT(QuotaCounts(QuotaSpec{1.5, 4, 4, 1, 100}),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("between 1 and 1")));
  // With every expert chosen by every token there is nothing to choose.
  EXPECT_THAT(
      QuotaCounts(QuotaSpec{1.5, 2, 4, 4, 100}),
      IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("--top-k 4")));
}

TEST(QuotaRoutingTest, AssignmentHasExactCountsAndNoExpertTwice) {
  for (const int32_t top_k : {1, 2, 3}) {
    for (const int32_t workers : {2, 3, 4}) {
      SCOPED_TRACE(testing::Message() << top_k << " of " << workers);
      const QuotaSpec spec{1.5, workers, 13, top_k, 1021};
      const auto counts = QuotaCounts(spec);
      ASSERT_THAT(counts, IsOk());

      const std::vector<int64_t> rows = QuotaAssignment(*counts, top_k, 7);

      ASSERT_EQ(rows.size(), static_cast<size_t>(1021 * top_k));
      std::vector<int64_t> seen(13);
      for (size_t token = 0; token < 1021; ++token) {
        std::set<int64_t> experts;
        for (int32_t k = 0; k < top_k; ++k) {
          const int64_t expert =
              rows[token * static_cast<size_t>(top_k) + static_cast<size_t>(k)];
          ++seen[static_cast<size_t>(expert)];
          experts.insert(expert);
        }
        EXPECT_EQ(experts.size(), static_cast<size_t>(top_k));
      }
      EXPECT_EQ(seen, *counts);
    }
  }
}

TEST(QuotaRoutingTest, SeedDecidesWhichTokensGoWhere) {
  const std::vector<int64_t> counts = {60, 20, 20};

  EXPECT_EQ(QuotaAssignment(counts, 1, 5), QuotaAssignment(counts, 1, 5));
  EXPECT_NE(QuotaAssignment(counts, 1, 5), QuotaAssignment(counts, 1, 6));
}

}  // namespace
}  // namespace balancemoe::worker
