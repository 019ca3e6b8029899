#include "common/planning/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr char kAll[] =
    "adaptive, eplb, fastermoe, fastermoe-paper, llep, pairwise, pairwise-dp, "
    "pairwise-moves, smartmoe, static, ultraep";

TEST(PolicyTest, EveryNameMakesItsPolicy) {
  const std::vector<std::string> names = PolicyNames();

  EXPECT_EQ(absl::StrJoin(names, ", "), kAll);
  for (const std::string& name : names) {
    const absl::StatusOr<PolicyChoice> choice = ParsePolicyChoice(name);

    ASSERT_THAT(choice, IsOk());
    EXPECT_EQ(MakePolicy(*choice)->name(), name);
    EXPECT_EQ(TraitsOf(name).name, name);
    EXPECT_EQ(TraitsOf(name).modes.front(), choice->mode);
  }
}

TEST(PolicyTest, PolicyRunsInEachOfItsModes) {
  for (const char* mode : {"inline", "ahead", "hybrid"}) {
    const absl::StatusOr<PolicyChoice> choice =
        ParsePolicyChoice(absl::StrCat("static@", mode));

    ASSERT_THAT(choice, IsOk());
    EXPECT_EQ(choice->mode, mode);
  }
}

TEST(PolicyTest, TraitsSayWhoPlansAndWithHowManySlots) {
  EXPECT_EQ(TraitsOf("pairwise").planner, Planner::kCoordinator);
  EXPECT_EQ(TraitsOf("pairwise").slots, std::nullopt);
  EXPECT_EQ(TraitsOf("static").planner, Planner::kNobody);
  EXPECT_EQ(TraitsOf("static").slots, 0);
}

TEST(PolicyTest, WithinStepsPlansInlineWhereThePolicyCan) {
  EXPECT_EQ(WithinSteps({"adaptive", "hybrid"}).ToString(), "adaptive@inline");
  EXPECT_EQ(WithinSteps({"pairwise", "inline"}).ToString(), "pairwise@inline");
  EXPECT_EQ(WithinSteps({"smartmoe", "ahead"}).ToString(), "smartmoe@ahead");
}

TEST(PolicyTest, NameAloneRunsInThePolicysOwnMode) {
  EXPECT_EQ(ParsePolicyChoice("pairwise")->ToString(), "pairwise@inline");
}

TEST(PolicyTest, NameAndModeComeBackAsTheyWere) {
  const absl::StatusOr<PolicyChoice> choice =
      ParsePolicyChoice("static@inline");

  ASSERT_THAT(choice, IsOk());
  EXPECT_EQ(*choice, (PolicyChoice{"static", "inline"}));
}

TEST(PolicyTest, UnknownNameIsRefusedWithTheKnownOnes) {
  EXPECT_THAT(ParsePolicyChoice("pairwize@inline"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("policy \"pairwize@inline\": there is no "
                                    "policy \"pairwize\"; there are ",
                                    kAll)));
}

TEST(PolicyTest, EmptyNameIsRefused) {
  EXPECT_THAT(ParsePolicyChoice(""),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("policy \"\": there is no policy \"\"; "
                                    "there are ",
                                    kAll)));
}

TEST(PolicyTest, UnknownModeIsRefusedWithTheKnownOnes) {
  for (const char* text : {"pairwise@", "pairwise@later", "pairwise@inline@"}) {
    EXPECT_THAT(
        ParsePolicyChoice(text),
        IsStatus(absl::StatusCode::kInvalidArgument,
                 ::testing::EndsWith("\"; there are ahead, hybrid, inline")));
  }
}

TEST(PolicyTest, ModeThatThePolicyCannotRunInIsRefused) {
  EXPECT_THAT(ParsePolicyChoice("pairwise@ahead"),
              IsStatus(absl::StatusCode::kFailedPrecondition,
                       "policy \"pairwise@ahead\": pairwise cannot run in mode "
                       "ahead, only inline"));
}

}  // namespace
}  // namespace balancemoe
