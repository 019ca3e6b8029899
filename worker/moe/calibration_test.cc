#include "worker/moe/calibration.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/status_matchers.h"
#include "worker/moe/gemm_self_test.h"
#include "worker/moe/testing/worker_group.h"
#include "worker/transport/delayed_transport.h"

namespace balancemoe::worker {
namespace {

constexpr ExpertShape kShape = {.hidden = 32, .ffn = 64};

const CalibrationOptions kOptions = {.shape = kShape, .optimizer_bytes = 1234};

class CalibrationOfWorkersTest : public ::testing::TestWithParam<int32_t> {};

TEST_P(CalibrationOfWorkersTest, GivesEveryWorkerAValidModel) {
  const int32_t workers = GetParam();
  RunWorkers({.workers = workers, .experts = 8, .expert_bytes = kShape.bytes()},
             [workers](LendingAgent& agent) {
               const auto model = Calibrate(kOptions, agent);

               ASSERT_THAT(model, IsOk());
               EXPECT_THAT(ValidateCostModel(*model), IsOk());
               EXPECT_EQ(model->expert_bytes, kShape.bytes());
               EXPECT_EQ(model->token_bytes, 128);
               EXPECT_GT(model->backward_factor, 0);
               EXPECT_EQ(model->intra_node.latency_us > 0, workers > 1);
               EXPECT_EQ(model->inter_node, model->intra_node);
             });
}

INSTANTIATE_TEST_SUITE_P(Workers, CalibrationOfWorkersTest,
                         ::testing::Values(1, 2, 3, 4));

TEST(CalibrationTest, LinksBetweenNodesAreMeasuredApart) {
  const std::vector<int32_t> nodes = {0, 0, 0, 1, 1};
  WorkerGroupOptions group = {.workers = 5,
                              .experts = 8,
                              .expert_bytes = kShape.bytes(),
                              .node_of_worker = nodes};
  group.wrap = [&](TransportFactory factory) {
    return DelayedFactory(
        std::move(factory), LinkDelay{},
        {.node_of_rank = nodes, .between = {.latency = absl::Milliseconds(5)}});
  };
  RunWorkers(group, [](LendingAgent& agent) {
    const auto model = Calibrate(kOptions, agent);

    ASSERT_THAT(model, IsOk());
    EXPECT_GE(model->inter_node.latency_us, 5000);
    EXPECT_GT(model->intra_node.latency_us, 0);
    EXPECT_LT(model->intra_node.latency_us, model->inter_node.latency_us);
  });
}

TEST(CalibrationTest, OneKindOfLinksStandsForBoth) {
  RunWorkers({.workers = 2,
              .experts = 8,
              .expert_bytes = kShape.bytes(),
              .node_of_worker = {0, 1}},
             [](LendingAgent& agent) {
               const auto model = Calibrate(kOptions, agent);

               ASSERT_THAT(model, IsOk());
               EXPECT_GT(model->inter_node.latency_us, 0);
               EXPECT_EQ(model->intra_node, model->inter_node);
             });
}

// How often Torch calls its grouped product, on any thread.
class GroupedProducts {
 public:
  GroupedProducts()
      : handle_(at::addGlobalCallback(at::RecordFunctionCallback(&Count).scopes(
            {at::RecordScope::FUNCTION}))) {
    calls_ = 0;
  }
  ~GroupedProducts() { at::removeCallback(handle_); }

  int calls() const { return calls_; }

 private:
  static std::unique_ptr<at::ObserverContext> Count(
      const at::RecordFunction& function) {
    if (std::string(function.name()) == "aten::_grouped_mm") ++calls_;
    return nullptr;
  }

  static inline std::atomic<int> calls_;
  const at::CallbackHandle handle_;
};

TEST(CalibrationTest, ExpertsAreTimedByTheKernelsThatLayersHave) {
  for (const ExpertKernels kernels :
       {ExpertKernels::kLoop, ExpertKernels::kGrouped,
        ExpertKernels::kGroupedBf16}) {
    SCOPED_TRACE(static_cast<int>(kernels));
    const GroupedProducts grouped;
    RunWorkers({.workers = 2, .experts = 8, .expert_bytes = kShape.bytes()},
               [kernels](LendingAgent& agent) {
                 CalibrationOptions options = kOptions;
                 options.kernels = kernels;
                 const auto model = Calibrate(options, agent);

                 ASSERT_THAT(model, IsOk());
                 EXPECT_THAT(ValidateCostModel(*model), IsOk());
               });

    EXPECT_EQ(grouped.calls() > 0, kernels != ExpertKernels::kLoop);
  }
}

TEST(GemmSelfTest, HoldsAtTheSizesOfTheDemo) {
  EXPECT_THAT(TestGemm({.hidden = 256, .ffn = 1024}), IsOk());
}

}  // namespace
}  // namespace balancemoe::worker
