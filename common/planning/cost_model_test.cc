#include "common/planning/cost_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr CostModel kValid = {.us_per_token = 1};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(CostModelTest, FreeLinksAndLaunchesAreValid) {
  EXPECT_THAT(ValidateCostModel(kValid), IsOk());
}

TEST(CostModelTest, UnmeasuredModelIsRefused) {
  EXPECT_THAT(ValidateCostModel(CostModel()),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "cost model: us_per_token is 0; a token takes some "
                       "time"));
}

TEST(CostModelTest, EveryFieldRefusesWhatIsNoCost) {
  const struct {
    double CostModel::*field;
    std::string name;
    std::string lowest;
  } cases[] = {{&CostModel::expert_launch_us, "expert_launch_us", "0"},
               {&CostModel::us_per_token, "us_per_token", "0"},
               {&CostModel::backward_factor, "backward_factor", "0"},
               {&CostModel::link_latency_us, "link_latency_us", "0"},
               {&CostModel::link_us_per_byte, "link_us_per_byte", "0"},
               {&CostModel::overlap_slowdown, "overlap_slowdown", "1"},
               {&CostModel::host_cpu_us_per_byte, "host_cpu_us_per_byte", "0"}};
  for (const auto& test_case : cases) {
    for (const double value : {kNan, kInfinity, -kInfinity, -1.0}) {
      CostModel model = kValid;
      model.*test_case.field = value;

      EXPECT_THAT(ValidateCostModel(model),
                  IsStatus(absl::StatusCode::kInvalidArgument,
                           "cost model: " + test_case.name + " is " +
                               absl::StrCat(value) +
                               "; it must be a number >= " + test_case.lowest));
    }
  }
}

TEST(CostModelTest, SlowdownUnderOneIsRefused) {
  CostModel model = kValid;
  model.overlap_slowdown = 0.99;

  EXPECT_THAT(ValidateCostModel(model),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "cost model: overlap_slowdown is 0.99; it must be a "
                       "number >= 1"));
}

TEST(CostModelTest, NegativeSizesAreRefused) {
  CostModel model = kValid;
  model.expert_bytes = -1;
  EXPECT_THAT(ValidateCostModel(model),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "cost model: expert_bytes is -1; it must be a number >= "
                       "0"));

  model = kValid;
  model.token_bytes = -2;
  EXPECT_THAT(ValidateCostModel(model),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "cost model: token_bytes is -2; it must be a number >= "
                       "0"));
}

}  // namespace
}  // namespace balancemoe
