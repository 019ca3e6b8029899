#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

struct Case {
  std::string name;
  TrainingOptions options;
  // Whether there is anything to lend.
  bool lends = true;
};

class BitIdentityTest : public ::testing::TestWithParam<Case> {};

TEST_P(BitIdentityTest, AnyLendsGiveTheSameBitsAsNone) {
  TrainingOptions options = GetParam().options;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    options.seed = seed;
    SCOPED_TRACE(seed);

    const TrainingResult without = Train(options, nullptr);
    const TrainingResult with = Train(options, RandomLends(seed));

    ExpectSameBits(without.record, with.record);
    EXPECT_EQ(with.lends > 0, GetParam().lends);
  }
}

// Everything to the first four experts: most workers compute nothing at all.
torch::Tensor SkewedRouter(const torch::Tensor& logits) {
  const int64_t tokens = logits.size(0);
  return (torch::arange(tokens) % 4).unsqueeze(1);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, BitIdentityTest,
    ::testing::Values(
        Case{"OneWorker", {.workers = 1, .tokens = {33}, .steps = 2}, false},
        Case{"TwoWorkersTopOne",
             {.workers = 2, .top_k = 1, .tokens = {40, 24}, .steps = 2}},
        Case{"TwoWorkersTopTwo",
             {.workers = 2, .tokens = {64, 50}, .steps = 3}},
        Case{"OddSizes",
             {.workers = 2,
              .layers = 2,
              .hidden = 13,
              .ffn = 29,
              .experts = 5,
              .tokens = {37, 61},
              .steps = 2}},
        Case{"ThreeWorkersTopThree",
             {.workers = 3,
              .layers = 2,
              .hidden = 17,
              .ffn = 31,
              .experts = 7,
              .top_k = 3,
              .tokens = {19, 45, 32},
              .steps = 2}},
        Case{"FourWorkersOneWithoutTokens",
             {.workers = 4,
              .layers = 3,
              .experts = 8,
              .tokens = {30, 0, 41, 8},
              .steps = 2}},
        Case{"SwiGlu",
             {.workers = 3,
              .layers = 2,
              .hidden = 17,
              .ffn = 31,
              .gated = true,
              .experts = 7,
              .tokens = {19, 45, 32},
              .steps = 3}},
        Case{"DroppedTokens",
             {.workers = 3,
              .layers = 2,
              .experts = 6,
              .capacity_factor = 0.8,
              .tokens = {31, 0, 52},
              .steps = 3}},
        Case{"MoreWorkersThanExperts",
             {.workers = 4, .experts = 3, .tokens = {20, 21, 22, 23}}},
        Case{"ExpertsWithoutTokens",
             {.workers = 4,
              .experts = 12,
              .top_k = 1,
              .tokens = {20, 3, 0, 23},
              .steps = 2,
              .router = SkewedRouter}},
        Case{"NoTokensAtAll", {.workers = 2, .tokens = {0, 0}}, false},
        Case{"MicroBatches",
             {.workers = 2,
              .layers = 2,
              .tokens = {32, 48},
              .steps = 2,
              .micro_batches = 3}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(BitIdentityTest, TwentyAdamStepsEndInTheSameBits) {
  const TrainingOptions options = {.workers = 3,
                                   .layers = 2,
                                   .hidden = 24,
                                   .ffn = 48,
                                   .experts = 6,
                                   .tokens = {60, 33, 47},
                                   .steps = 20};

  const TrainingResult without = Train(options, nullptr);
  const TrainingResult with = Train(options, RandomLends(5));

  ExpectSameBits(without.record, with.record);
  EXPECT_GT(with.lends, 100);
}

}  // namespace
}  // namespace balancemoe::worker
