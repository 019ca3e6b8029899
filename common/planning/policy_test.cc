#include "common/planning/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

TEST(PolicyTest, NamesAreSorted) {
  EXPECT_THAT(PolicyNames(), ElementsAre("pairwise", "static"));
}

TEST(PolicyTest, EveryNameMakesItsPolicy) {
  for (const std::string& name : PolicyNames()) {
    const absl::StatusOr<PolicyChoice> choice = ParsePolicyChoice(name);

    ASSERT_THAT(choice, IsOk());
    EXPECT_EQ(MakePolicy(*choice)->name(), name);
  }
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
                       "policy \"pairwize@inline\": there is no policy "
                       "\"pairwize\"; there are pairwise, static"));
}

TEST(PolicyTest, EmptyNameIsRefused) {
  EXPECT_THAT(ParsePolicyChoice(""),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "policy \"\": there is no policy \"\"; there are "
                       "pairwise, static"));
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
