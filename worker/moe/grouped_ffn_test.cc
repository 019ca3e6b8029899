// Grouped kernels, which GPUs are for, give on CPUs what the loop gives.
#include "worker/moe/grouped_ffn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "worker/expert/expert_slab.h"
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
