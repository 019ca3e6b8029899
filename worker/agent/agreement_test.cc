#include "worker/agent/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace balancemoe::worker {
namespace {

constexpr PlanVote kPlanA = {.digest = 11, .holding = Holding::kPlan};
constexpr PlanVote kPlanB = {.digest = 12, .holding = Holding::kPlan};
constexpr PlanVote kNothing = {};
constexpr PlanVote kMissed = {.digest = 0, .holding = Holding::kMissed};
constexpr PlanVote kInvalid = {.digest = 0, .holding = Holding::kInvalid};

struct SettleCase {
  std::string name;
  std::vector<PlanVote> votes;
  Verdict verdict;
};

class SettleTest : public ::testing::TestWithParam<SettleCase> {};

TEST_P(SettleTest, GivesTheVerdict) {
  EXPECT_EQ(Settle(GetParam().votes), GetParam().verdict);
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds, SettleTest,
    ::testing::Values(
        SettleCase{"SamePlanEverywhere", {kPlanA, kPlanA}, Verdict::kAgreed},
        SettleCase{"SamePlanAlone", {kPlanA}, Verdict::kAgreed},
        SettleCase{"NobodyHoldsOne", {kNothing, kNothing}, Verdict::kNone},
        SettleCase{"NobodyVotes", {}, Verdict::kNone},
        SettleCase{
            "OneOfThreeLacksIt", {kPlanA, kPlanA, kNothing}, Verdict::kLate},
        SettleCase{
            "OneOfThreeMissedIt", {kPlanA, kMissed, kPlanA}, Verdict::kLate},
        SettleCase{"AllMissed", {kMissed, kMissed}, Verdict::kLate},
        SettleCase{"OneMissedWhatOthersDidNotAwait",
                   {kNothing, kMissed},
                   Verdict::kLate},
        SettleCase{"DifferentPlans", {kPlanA, kPlanB}, Verdict::kRefused},
        SettleCase{"DifferentPlansAndAMiss",
                   {kPlanA, kMissed, kPlanB},
                   Verdict::kRefused},
        SettleCase{
            "InvalidEverywhere", {kInvalid, kInvalid}, Verdict::kRefused},
        SettleCase{"InvalidOnOne", {kPlanA, kInvalid}, Verdict::kRefused},
        SettleCase{
            "InvalidBesideNothing", {kNothing, kInvalid}, Verdict::kRefused},
        SettleCase{"PlanWithoutDigest",
                   {{.digest = 0, .holding = Holding::kPlan}},
                   Verdict::kRefused},
        SettleCase{"VoteOfAnUnknownKind",
                   {kPlanA, {.digest = 11, .holding = Holding(9)}},
                   Verdict::kRefused}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
