#include "common/planning/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTrainable[] =
    "adaptive@inline, fastermoe, fastermoe-paper, llep, pairwise, pairwise-dp, "
    "pairwise-moves, static, ultraep";

TEST(PolicyTest, PoliciesThatPlanInlineTrain) {
  EXPECT_THAT(PolicyNames(),
              ElementsAre("adaptive@inline", "fastermoe", "fastermoe-paper",
                          "llep", "pairwise", "pairwise-dp", "pairwise-moves",
                          "static", "ultraep"));
}

TEST(PolicyTest, EveryNameMakesItsPolicy) {
  for (const std::string& name : PolicyNames()) {
    const absl::StatusOr<PolicyChoice> choice = ParsePolicyChoice(name);

    ASSERT_THAT(choice, IsOk());
    EXPECT_EQ(MakePolicy(*choice)->name(), choice->name);
    EXPECT_EQ(choice->mode, "inline");
  }
}

TEST(PolicyTest, ReplayKnowsEveryPolicyThatTrains) {
  const std::vector<std::string> names = PolicyNames(PolicyUse::kReplay);

  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string& name : PolicyNames(PolicyUse::kTraining)) {
    EXPECT_THAT(names, Contains(ParsePolicyChoice(name)->name));
  }
  for (const std::string& name : names) {
    const absl::StatusOr<PolicyChoice> choice =
        ParsePolicyChoice(name, PolicyUse::kReplay);

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
                                    kTrainable)));
}

TEST(PolicyTest, EmptyNameIsRefused) {
  EXPECT_THAT(ParsePolicyChoice(""),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("policy \"\": there is no policy \"\"; "
                                    "there are ",
                                    kTrainable)));
}

TEST(PolicyTest, UnknownModeIsRefusedWithTheKnownOnes) {
  for (const char* text : {"pairwise@", "pairwise@later", "pairwise@inline@"}) {
    EXPECT_THAT(
        ParsePolicyChoice(text),
        IsStatus(absl::StatusCode::kInvalidArgument,
                 ::testing::EndsWith("\"; there are ahead, hybrid, inline")));
  }
}

TEST(PolicyTest, PlansThatWorkersCannotCarryOutAreRefusedWithWhatIsMissing) {
  EXPECT_THAT(
      ParsePolicyChoice("adaptive"),
      IsStatus(absl::StatusCode::kFailedPrecondition,
               absl::StrCat("policy \"adaptive\": workers cannot carry out "
                            "plans made ahead yet, only replay can; they can "
                            "carry out ",
                            kTrainable)));
  for (const char* ahead : {"adaptive@ahead", "eplb", "smartmoe"}) {
    EXPECT_THAT(ParsePolicyChoice(ahead),
                IsStatus(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("cannot carry out plans made ahead yet")));
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
