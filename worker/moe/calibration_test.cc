#include "worker/moe/calibration.h"

#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"
#include "worker/moe/gemm_self_test.h"
#include "worker/moe/testing/worker_group.h"

namespace balancemoe::worker {
namespace {

constexpr ExpertShape kShape = {.hidden = 32, .ffn = 64};

class CalibrationTest : public ::testing::TestWithParam<int32_t> {};

TEST_P(CalibrationTest, GivesEveryWorkerAValidModel) {
  const int32_t workers = GetParam();
  RunWorkers({.workers = workers, .experts = 8, .expert_bytes = kShape.bytes()},
             [workers](LendingAgent& agent) {
               const auto model = Calibrate(kShape, 1234, agent);

               ASSERT_THAT(model, IsOk());
               EXPECT_THAT(ValidateCostModel(*model), IsOk());
               EXPECT_EQ(model->expert_bytes, kShape.bytes());
               EXPECT_EQ(model->token_bytes, 128);
               EXPECT_GT(model->backward_factor, 0);
               EXPECT_EQ(model->intra_node.latency_us > 0, workers > 1);
               EXPECT_EQ(model->inter_node, model->intra_node);
             });
}

INSTANTIATE_TEST_SUITE_P(Workers, CalibrationTest,
                         ::testing::Values(1, 2, 3, 4));

TEST(GemmSelfTest, HoldsAtTheSizesOfTheDemo) {
  EXPECT_THAT(TestGemm({.hidden = 256, .ffn = 1024}), IsOk());
}

}  // namespace
}  // namespace balancemoe::worker
