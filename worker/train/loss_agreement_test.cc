#include "worker/train/loss_agreement.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace balancemoe::worker {
namespace {

using Losses = std::vector<float>;

TEST(LossAgreementTest, EqualRunsHaveTheSameBits) {
  EXPECT_EQ(CompareLosses(Losses{4, 3, 2.5}, Losses{4, 3, 2.5}),
            LossAgreement::kSameBits);
  EXPECT_EQ(LargestDifference(Losses{4, 3}, Losses{4, 3}), 0);
}

TEST(LossAgreementTest, TheStepThatIsFarthestOffCounts) {
  EXPECT_DOUBLE_EQ(LargestDifference(Losses{4, 2, 1}, Losses{4, 2.5, 1.125}),
                   0.25);
}

TEST(LossAgreementTest, SmallDifferencesAreRounding) {
  EXPECT_EQ(CompareLosses(Losses{4, 2}, Losses{4, 2.001F}),
            LossAgreement::kUpToRounding);
  EXPECT_EQ(CompareLosses(Losses{4, 2}, Losses{4, 2.1F}),
            LossAgreement::kDifferent);
}

TEST(LossAgreementTest, OtherLengthsAndNoNumbersAreDifferent) {
  const float nan = std::numeric_limits<float>::quiet_NaN();

  EXPECT_EQ(CompareLosses(Losses{4, 2}, Losses{4}), LossAgreement::kDifferent);
  EXPECT_EQ(CompareLosses(Losses{4, 2, 1}, Losses{4, nan, 1.001F}),
            LossAgreement::kDifferent);
}

TEST(LossAgreementTest, WholeExpertsPromiseTheSameBits) {
  for (const char* policy : {"static", "pairwise", "pairwise@inline"}) {
    EXPECT_EQ(PromisedAgreement(policy), LossAgreement::kSameBits) << policy;
  }
  for (const char* policy : {"adaptive@inline", "llep", "ultraep"}) {
    EXPECT_EQ(PromisedAgreement(policy), LossAgreement::kUpToRounding)
        << policy;
  }
}

}  // namespace
}  // namespace balancemoe::worker
