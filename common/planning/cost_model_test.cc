#include "common/planning/cost_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr CostModel kValid = {.us_per_token = 1};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(CostModelTest, TransferTakesLatencyAndTimePerByte) {
  EXPECT_DOUBLE_EQ((Link{.latency_us = 3, .us_per_byte = 0.5}).TransferUs(8),
                   7);
}

TEST(CostModelTest, EveryClassHasItsLink) {
  const CostModel model = {.intra_node = {1, 2}, .inter_node = {3, 4}};

  EXPECT_EQ(model.link(LinkClass::kIntraNode), (Link{1, 2}));
  EXPECT_EQ(model.link(LinkClass::kInterNode), (Link{3, 4}));
}

TEST(CostModelTest, FreeLinksAndLaunchesAreValid) {
  EXPECT_THAT(ValidateCostModel(kValid), IsOk());
}

TEST(CostModelTest, UnmeasuredModelIsRefused) {
  EXPECT_THAT(ValidateCostModel(CostModel()),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "cost model: us_per_token is 0; a token takes some "
                       "time"));
}

struct MeasuredField {
  std::string name;
  std::function<double&(CostModel&)> of;
  std::string lowest = "0";
};

std::vector<MeasuredField> MeasuredFields() {
  using Model = CostModel;
  return {
      {"expert_launch_us", &Model::expert_launch_us},
      {"us_per_token", &Model::us_per_token},
      {"backward_factor", &Model::backward_factor},
      {"intra_node.latency_us",
       [](Model& m) -> double& { return m.intra_node.latency_us; }},
      {"intra_node.us_per_byte",
       [](Model& m) -> double& { return m.intra_node.us_per_byte; }},
      {"inter_node.latency_us",
       [](Model& m) -> double& { return m.inter_node.latency_us; }},
      {"inter_node.us_per_byte",
       [](Model& m) -> double& { return m.inter_node.us_per_byte; }},
      {"overlap_slowdown", &Model::overlap_slowdown, "1"},
      {"host_cpu_us_per_byte", &Model::host_cpu_us_per_byte},
      {"plan_latency_us", &Model::plan_latency_us},
  };
}

TEST(CostModelTest, EveryFieldRefusesWhatIsNoCost) {
  for (const MeasuredField& field : MeasuredFields()) {
    for (const double value : {kNan, kInfinity, -kInfinity, -1.0}) {
      CostModel model = kValid;
      field.of(model) = value;

      EXPECT_THAT(
          ValidateCostModel(model),
          IsStatus(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("cost model: ", field.name, " is ", value,
                                "; it must be a number >= ", field.lowest)));
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
  const struct {
    int64_t CostModel::*field;
    std::string name;
  } cases[] = {{&CostModel::expert_bytes, "expert_bytes"},
               {&CostModel::token_bytes, "token_bytes"},
               {&CostModel::optimizer_bytes, "optimizer_bytes"}};
  for (const auto& test_case : cases) {
    CostModel model = kValid;
    model.*test_case.field = -1;

    EXPECT_THAT(ValidateCostModel(model),
                IsStatus(absl::StatusCode::kInvalidArgument,
                         absl::StrCat("cost model: ", test_case.name,
                                      " is -1; it must be a number >= 0")));
  }
}

TEST(MeanCostModelTest, MeasuredFieldsAreAveragedOneByOne) {
  CostModel low;
  CostModel high;
  double value = 1;
  for (const MeasuredField& field : MeasuredFields()) {
    field.of(low) = value;
    field.of(high) = 3 * value;
    ++value;
  }

  CostModel mean = MeanCostModel({low, high});

  value = 1;
  for (const MeasuredField& field : MeasuredFields()) {
    EXPECT_DOUBLE_EQ(field.of(mean), 2 * value) << field.name;
    ++value;
  }
}

TEST(MeanCostModelTest, SizesAreThoseOfTheFirst) {
  const CostModel mean = MeanCostModel({{.us_per_token = 1,
                                         .expert_bytes = 10,
                                         .token_bytes = 20,
                                         .optimizer_bytes = 30},
                                        {.us_per_token = 1,
                                         .expert_bytes = 11,
                                         .token_bytes = 22,
                                         .optimizer_bytes = 33}});

  EXPECT_EQ(mean.expert_bytes, 10);
  EXPECT_EQ(mean.token_bytes, 20);
  EXPECT_EQ(mean.optimizer_bytes, 30);
}

TEST(CostModelTest, OnlyTheFirstLayerHasNoHeadStart) {
  const CostModel job = {.us_per_token = 3, .expert_bytes = 100};

  EXPECT_EQ(OfLayer(job, LayerId(0)).head_start, 0);
  EXPECT_EQ(OfLayer(job, LayerId(0)).us_per_token, 3);
  EXPECT_EQ(OfLayer(job, LayerId(1)), job);
}

TEST(MeanCostModelTest, MeanOfOneIsThatOne) {
  const CostModel model = {.expert_launch_us = 0.1,
                           .us_per_token = 0.7,
                           .backward_factor = 2.3,
                           .intra_node = {1.1, 1e-3},
                           .inter_node = {7.7, 3e-3},
                           .overlap_slowdown = 1.05,
                           .host_cpu_us_per_byte = 1e-5,
                           .expert_bytes = 5,
                           .token_bytes = 6,
                           .optimizer_bytes = 7,
                           .plan_latency_us = 300};

  EXPECT_EQ(MeanCostModel({model}), model);
}

TEST(MeanCostModelTest, MeanOfHugeModelsStaysFinite) {
  CostModel huge;
  for (const MeasuredField& field : MeasuredFields()) field.of(huge) = 1.5e308;

  EXPECT_THAT(ValidateCostModel(MeanCostModel({huge, huge, huge, huge})),
              IsOk());
}

TEST(MeanCostModelTest, RoundingTakesNoSlowdownBelowOne) {
  // A tenth ten times over is a little less than one.
  const std::vector<CostModel> models(10, kValid);

  EXPECT_EQ(MeanCostModel(models).overlap_slowdown, 1);
  EXPECT_THAT(ValidateCostModel(MeanCostModel(models)), IsOk());
}

}  // namespace
}  // namespace balancemoe
