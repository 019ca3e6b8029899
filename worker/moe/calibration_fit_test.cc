#include "worker/moe/calibration_fit.h"

#include <gtest/gtest.h>

#include <vector>

namespace balancemoe::worker {
namespace {

TEST(CalibrationFitTest, ComputingIsTheLineThroughBoth) {
  CostModel model;
  FitCompute({.rows = 100, .times = {.forward_us = 250}},
             {.rows = 400, .times = {.forward_us = 850, .backward_us = 1700}},
             model);

  EXPECT_DOUBLE_EQ(model.us_per_token, 2);
  EXPECT_DOUBLE_EQ(model.expert_launch_us, 50);
  EXPECT_DOUBLE_EQ(model.backward_factor, 2);
}

// Rounds that differ in one pass.
std::vector<ComputeRound> ManyForward(const std::vector<double>& us) {
  std::vector<ComputeRound> rounds;
  for (const double forward_us : us) {
    rounds.push_back({.few = {.forward_us = 1, .backward_us = 2},
                      .many = {.forward_us = forward_us, .backward_us = 4}});
  }
  return rounds;
}

TEST(CalibrationFitTest, ARoundTakesAsLongAsItsSlowestWorker) {
  // By round 15, 30 and 90; the median of neither worker.
  const ComputeRound slowest =
      TimesOfSlowest(ManyForward({10, 30, 10, 15, 20, 90}), 3);

  EXPECT_DOUBLE_EQ(slowest.many.forward_us, 30);
  EXPECT_DOUBLE_EQ(slowest.few.forward_us, 1);
  EXPECT_DOUBLE_EQ(slowest.few.backward_us, 2);
  EXPECT_DOUBLE_EQ(slowest.many.backward_us, 4);
}

TEST(CalibrationFitTest, OneWorkerIsTheSlowest) {
  EXPECT_DOUBLE_EQ(TimesOfSlowest(ManyForward({10, 30, 20}), 3).many.forward_us,
                   20);
}

TEST(CalibrationFitTest, ALineThatNoiseTurnedRoundIsPerToken) {
  for (const double few_us : {900.0, 800.0, 0.0}) {
    SCOPED_TRACE(few_us);
    CostModel model;
    FitCompute({.rows = 100, .times = {.forward_us = few_us}},
               {.rows = 400, .times = {.forward_us = 800, .backward_us = 800}},
               model);

    EXPECT_DOUBLE_EQ(model.us_per_token, 2);
    EXPECT_DOUBLE_EQ(model.expert_launch_us, 0);
  }
}

// 1,000 bytes under way for 100 us: what their threads' processor time does not
// explain of a delay is slow-down.
CostModel Fit(double extra_us, double other_threads_us) {
  CostModel model;
  FitOverlap({{.extra_us = extra_us,
               .other_threads_us = other_threads_us,
               .transfer_us = 100,
               .bytes = 1000}},
             model);
  return model;
}

TEST(CalibrationFitTest, ADelayIsHostTimeThenSlowdown) {
  EXPECT_DOUBLE_EQ(Fit(30, 10).host_cpu_us_per_byte, 0.01);
  EXPECT_DOUBLE_EQ(Fit(30, 10).overlap_slowdown, 1 / 0.8);
  // Another core's time delays nobody.
  EXPECT_DOUBLE_EQ(Fit(30, 80).host_cpu_us_per_byte, 0.03);
  EXPECT_DOUBLE_EQ(Fit(30, 80).overlap_slowdown, 1);
}

TEST(CalibrationFitTest, NoiseMakesNoModelThatIsRefused) {
  EXPECT_DOUBLE_EQ(Fit(-5, 10).host_cpu_us_per_byte, 0);
  EXPECT_DOUBLE_EQ(Fit(-5, 10).overlap_slowdown, 1);
  EXPECT_DOUBLE_EQ(Fit(5, -10).host_cpu_us_per_byte, 0);
  EXPECT_DOUBLE_EQ(Fit(500, 0).overlap_slowdown, 4);
}

}  // namespace
}  // namespace balancemoe::worker
