#include "worker/moe/calibration_fit.h"

#include <gtest/gtest.h>

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
