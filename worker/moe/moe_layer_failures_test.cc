#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/recording_transport.h"
#include "worker/moe/testing/small_layer.h"

namespace balancemoe::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(MoeLayerFailuresTest, APeerThatGivesUpEndsTheForwardWithAnError) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    if (agent.transport().rank() == WorkerRank(1)) {
      agent.transport().Abort(absl::UnavailableError("worker 1: power cut"));
      return;
    }

    EXPECT_THAT(ForwardError(layer, Input(0)),
                AllOf(HasSubstr("MoE layer 0"), HasSubstr("power cut")));
  });
}

TEST(MoeLayerFailuresTest, APeerThatGivesUpEndsTheBackwardWithAnError) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const torch::Tensor loss =
        layer->forward(Input(agent.transport().rank().value())).sum();
    if (agent.transport().rank() == WorkerRank(1)) {
      agent.transport().Abort(absl::UnavailableError("worker 1: power cut"));
      return;
    }

    EXPECT_THROW(loss.backward(), c10::Error);
  });
}

TEST(MoeLayerFailuresTest,
     DamagedParametersAreNeverVisibleAndEndTheStepForAll) {
  WorkerGroupOptions group = SmallGroup(2, LendAllOfWorkerZero);
  group.wrap = WithDamageAtWorkerOne;
  RunWorkers(group, [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const int32_t rank = agent.transport().rank().value();

    EXPECT_THAT(ForwardError(layer, Input(rank)),
                HasSubstr("checksum differs"));
    if (rank == 1) {
      EXPECT_EQ(layer->experts().Find(ExpertId(0)), nullptr);
      EXPECT_EQ(layer->experts().Find(ExpertId(1)), nullptr);
    }
  });
}

TEST(MoeLayerFailuresTest, ARouterThatChoosesNonsenseIsRefused) {
  RunWorkers(SmallGroup(1, nullptr), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    layer->SetRouter([](const torch::Tensor& logits) {
      return torch::full({logits.size(0), 2}, kExperts, torch::kLong);
    });

    EXPECT_THROW(layer->forward(Input(0)), c10::Error);
  });
}

}  // namespace
}  // namespace balancemoe::worker
