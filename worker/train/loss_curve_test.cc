// With quotas a gradient adds up in another order, so losses part from those of
// `static` as rounding has it. How far may they? As far as those of a `static`
// run that sees the rows of each batch in another order.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/train/loss_agreement.h"
#include "worker/train/testing/loopback_job.h"

namespace balancemoe::worker {
namespace {

using Losses = std::vector<float>;

// The gate chooses, so that rounding can turn a choice round.
TrainOptions TwoHundredSteps() {
  TrainOptions options = SmallModel();
  options.steps = 200;
  options.batch = 4;
  options.skew = 1;
  options.lr = 1e-3;
  options.policy = "static";
  return options;
}

struct Curve {
  Losses losses;
  bool split = false;
};

Curve Train(const TrainOptions& options, int32_t workers) {
  const auto report = TrainOverLoopback(options, workers);
  EXPECT_THAT(report, IsOk());
  if (!report.ok()) return {};
  return {(*report)["loss"].get<Losses>(), (*report)["lends_in_part"] > 0};
}

struct Case {
  int32_t workers;
  // All split experts in such a group.
  std::vector<std::string> policies;
};

class LossCurveTest : public ::testing::TestWithParam<Case> {};

TEST_P(LossCurveTest, QuotasDriftNoFurtherThanAnotherOrderOfRows) {
  const int32_t workers = GetParam().workers;
  TrainOptions options = TwoHundredSteps();
  const Losses alone = Train(options, workers).losses;
  double furthest = 0;
  for (options.rotate_batch = 1; options.rotate_batch < options.batch;
       ++options.rotate_batch) {
    const double apart =
        LargestDifference(alone, Train(options, workers).losses);
    // Another order, and the same batches.
    EXPECT_GT(apart, 0);
    EXPECT_LT(apart, 0.02);
    furthest = std::max(furthest, apart);
  }
  options.rotate_batch = 0;
  for (const std::string& policy : GetParam().policies) {
    SCOPED_TRACE(policy);
    options.policy = policy;
    const Curve curve = Train(options, workers);
    EXPECT_TRUE(curve.split);
    // Both are a few steps of a float, of which one may be chance.
    EXPECT_LE(LargestDifference(alone, curve.losses),
              furthest + std::numeric_limits<float>::epsilon());
    RecordProperty(absl::StrReplaceAll(policy, {{"@", "_"}}),
                   absl::StrCat(LargestDifference(alone, curve.losses)));
  }
  RecordProperty("another_order", absl::StrCat(furthest));
}

INSTANTIATE_TEST_SUITE_P(
    Workers, LossCurveTest,
    ::testing::Values(Case{2,
                           {"adaptive", "adaptive@ahead", "adaptive@inline",
                            "fastermoe", "eplb", "ultraep"}},
                      Case{4,
                           {"adaptive", "adaptive@ahead", "adaptive@inline",
                            "fastermoe", "eplb", "llep", "ultraep"}}),
    [](const auto& test_case) {
      return absl::StrCat(test_case.param.workers);
    });

}  // namespace
}  // namespace balancemoe::worker
