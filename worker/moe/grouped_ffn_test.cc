// Grouped kernels, which GPUs are for, give on CPUs what the loop gives.
#include "worker/moe/grouped_ffn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"
#include "worker/expert/expert_slab.h"
#include "worker/moe/step_transfers.h"
#include "worker/moe/testing/small_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSeed = 20261127;

// Widths that every kernel takes.
TrainingOptions Options(ExpertKernels kernels) {
  return {.workers = 3,
          .layers = 2,
          .hidden = 16,
          .ffn = 24,
          .experts = 6,
          .tokens = {61, 0, 40},
          .kernels = kernels};
}

TEST(GroupedFfnTest, AllSlotsAreViewsOfEverySlot) {
  const ExpertShape shape{.hidden = 12, .ffn = 20, .gated = true};
  const std::vector<ExpertSlot> slots = MakeExpertSlab(shape, 3);
  for (size_t i = 0; i < slots.size(); ++i) {
    for (const torch::Tensor& part : slots[i].tensors.all) {
      part.copy_(Values(part.sizes(), kSeed + i));
    }
  }

  const ExpertTensors all = AllSlotsOf(shape, slots[0].slab);

  for (size_t i = 0; i < slots.size(); ++i) {
    EXPECT_EQ(slots[i].index, i);
    for (size_t part = 0; part < all.all.size(); ++part) {
      const torch::Tensor view = all.all[part][static_cast<int64_t>(i)];
      EXPECT_EQ(view.data_ptr(), slots[i].tensors.all[part].data_ptr());
      EXPECT_TRUE(torch::equal(view, slots[i].tensors.all[part]));
    }
  }
}

TEST(GroupedFfnTest, TrainsAsTheLoop) {
  for (const bool gated : {false, true}) {
    TrainingOptions grouped = Options(ExpertKernels::kGrouped);
    TrainingOptions loop = Options(ExpertKernels::kLoop);
    grouped.gated = loop.gated = gated;
    ExpectClose(UpToTheGradients(Train(loop)), UpToTheGradients(Train(grouped)),
                kRounding);
  }
}

TEST(GroupedFfnTest, LendsChangeNoBit) {
  TrainingOptions options = Options(ExpertKernels::kGrouped);
  options.steps = 3;
  options.micro_batches = 2;
  const TrainingResult lent = Train(options, RandomLends(kSeed));

  EXPECT_GT(lent.lends, 0);
  ExpectSameBits(Train(options).record, lent.record);
}

TEST(GroupedFfnTest, QuotasAndDroppedTokensAreCloseToTheLoop) {
  TrainingOptions grouped = Options(ExpertKernels::kGrouped);
  TrainingOptions loop = Options(ExpertKernels::kLoop);
  grouped.capacity_factor = loop.capacity_factor = 1.1;
  grouped.routes = loop.routes = ChainRoutes();
  const TrainingResult lent = Train(grouped, RandomQuotas(kSeed));

  EXPECT_GT(lent.lends_in_part, 0);
  ExpectClose(UpToTheGradients(Train(loop)), UpToTheGradients(lent), kRounding);
}

// They have slots of their own, outside the slab of those that began here.
TEST(GroupedFfnTest, MovesChangeNoBit) {
  RunWorkers(SmallGroup(2, {}), [](LendingAgent& agent) {
    MoeLayerOptions options = SmallLayer();
    options.kernels = ExpertKernels::kGrouped;
    MoeLayer layer(options, agent);
    const int32_t rank = agent.transport().rank().value();
    agent.BeginIteration(Iteration(0));
    const torch::Tensor before = layer->forward(Input(rank)).detach();

    const JobPlacement placement = {
        .home_of_expert = {
            {WorkerRank(1), WorkerRank(0), WorkerRank(1), WorkerRank(1)}}};
    const auto moved =
        StepTransfers(agent, {layer}).RestorePlacement(placement);
    agent.BeginIteration(Iteration(1));
    const torch::Tensor after = layer->forward(Input(rank)).detach();

    ASSERT_THAT(moved, IsOk());
    EXPECT_EQ(moved->moves, 1);
    EXPECT_TRUE(torch::equal(before, after));
    if (rank == 0) return;
    const ExpertStore& store = layer->experts();
    EXPECT_FALSE(
        store.Home(ExpertId(0)).slab.is_alias_of(store.Home(ExpertId(2)).slab));
  });
}

// Products of bf16 have 8 bits.
TEST(GroupedFfnTest, Bf16IsCloseAndNotTheSame) {
  TrainingOptions options = Options(ExpertKernels::kGroupedBf16);
  options.layers = 1;
  TrainingOptions loop = Options(ExpertKernels::kLoop);
  loop.layers = 1;
  const TrainingRecord expected = UpToTheGradients(Train(loop));
  const TrainingRecord actual = UpToTheGradients(Train(options));

  ExpectClose(expected, actual, 0.05);
  EXPECT_FALSE(torch::equal(expected.begin()->second, actual.begin()->second));
}

TEST(GroupedFfnTest, WidthsThatKernelsDoNotTakeAreRefused) {
  RunWorkers(SmallGroup(1, {}), [](LendingAgent& agent) {
    MoeLayerOptions options = SmallLayer();
    options.kernels = ExpertKernels::kGroupedBf16;
    try {
      const MoeLayer layer(options, agent);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const c10::Error& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr("hidden 12, ffn 20; grouped kernels need "
                            "multiples of 8"));
    }
  });
}

}  // namespace
}  // namespace balancemoe::worker
