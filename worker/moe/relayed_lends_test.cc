// Experts that several workers borrow, passed on from one to the next, with
// gradients that add up on their way home.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <vector>

#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/one_expert_step.h"
#include "worker/moe/testing/recording_transport.h"
#include "worker/moe/testing/small_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// To both other workers, each of which computes its own tokens.
std::vector<Lend> ToBoth() {
  return {{ExpertId(0), WorkerRank(0), WorkerRank(2), kOneExpertTokens},
          {ExpertId(0), WorkerRank(0), WorkerRank(1), kOneExpertTokens}};
}

TEST(RelayTest, GradientsAddUpAlongTheChainFromItsEnd) {
  const OneExpertStep step = RunOneExpertStep(ToBoth(), ChainRoutes());

  EXPECT_TRUE(torch::equal(step.gradient,
                           step.parts[0] + (step.parts[1] + step.parts[2])));
  // Another order would have been seen.
  EXPECT_FALSE(torch::equal(step.gradient,
                            step.parts[0] + step.parts[2] + step.parts[1]));
}

TEST(RelayTest, HomeSendsAndReceivesTheExpertOnce) {
  const OneExpertStep apart = RunOneExpertStep(ToBoth(), /*routes=*/{});
  const OneExpertStep chain = RunOneExpertStep(ToBoth(), ChainRoutes());

  const int64_t expert = apart.expert_bytes;
  // Parameters out, and a gradient back from each borrower.
  EXPECT_THAT(apart.bytes_sent, ElementsAre(2 * expert, expert, expert));
  // The one in the middle passes parameters on.
  EXPECT_THAT(chain.bytes_sent, ElementsAre(expert, 2 * expert, expert));
}

// A third of expert 0's tokens each to workers 1 and 2.
std::vector<Lend> LendThirds(Iteration, LayerId, const LayerRouting& routing) {
  const int64_t third = routing.tokens.TokensOfExpert(ExpertId(0)) / 3;
  return {{ExpertId(0), WorkerRank(0), WorkerRank(1), third},
          {ExpertId(0), WorkerRank(0), WorkerRank(2), third}};
}

WorkerGroupOptions ChainOfThree() {
  WorkerGroupOptions group = SmallGroup(3, LendThirds);
  group.routes = ChainRoutes();
  return group;
}

TEST(RelayTest, WithoutBackwardEverythingIsGivenBack) {
  RunWorkers(ChainOfThree(), [](LendingAgent& agent) {
    const torch::NoGradGuard no_grad;
    MoeLayer layer(SmallLayer(), agent);
    const torch::Tensor input = Input(agent.transport().rank().value());
    const torch::Tensor first = layer->forward(input);
    const int64_t bytes = layer->experts().allocated_bytes();
    for (int64_t i = 1; i < 5; ++i) {
      agent.BeginIteration(Iteration(i));
      EXPECT_TRUE(torch::equal(layer->forward(input), first));
    }
    EXPECT_TRUE(layer->idle());
    EXPECT_EQ(layer->experts().allocated_bytes(), bytes);
  });
}

// The worker in the middle finds a part damaged.
TEST(RelayTest, ADamagedPartEndsTheStepForAllAndGoesNoFurther) {
  WorkerGroupOptions group = ChainOfThree();
  group.wrap = WithDamageAtWorkerOne;
  RunWorkers(group, [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const int32_t rank = agent.transport().rank().value();

    EXPECT_THAT(ForwardError(layer, Input(rank)),
                HasSubstr("checksum differs"));
    EXPECT_EQ(layer->experts().Find(ExpertId(0)) != nullptr, rank == 0);
  });
}

TEST(RelayTest, APeerThatGivesUpInBackwardEndsItForAll) {
  for (const int32_t leaver : {0, 1, 2}) {
    SCOPED_TRACE(leaver);
    RunWorkers(ChainOfThree(), [&](LendingAgent& agent) {
      MoeLayer layer(SmallLayer(), agent);
      const int32_t rank = agent.transport().rank().value();
      const torch::Tensor loss = layer->forward(Input(rank)).sum();
      if (rank == leaver) {
        agent.transport().Abort(absl::UnavailableError("power cut"));
        return;
      }

      EXPECT_THROW(loss.backward(), c10::Error);
    });
  }
}

}  // namespace
}  // namespace balancemoe::worker
