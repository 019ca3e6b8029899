// Lends with quotas: a borrower computes some of an expert's tokens, home the
// rest, and the parts of the gradient add up at home.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "worker/moe/testing/one_expert_step.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

struct Case {
  std::string name;
  TrainingOptions options;
};

const std::vector<Case>& Cases() {
  static const std::vector<Case>& cases = *new std::vector<Case>{
      {"TwoWorkersTopOne", {.workers = 2, .top_k = 1, .tokens = {80, 48}}},
      {"TwoWorkersTopTwo", {.workers = 2, .tokens = {64, 50}}},
      {"TwoWorkersThreeLayers",
       {.workers = 2, .layers = 3, .experts = 6, .tokens = {70, 90}}},
      {"FourWorkersTopOne",
       {.workers = 4,
        .layers = 2,
        .experts = 8,
        .top_k = 1,
        .tokens = {60, 70, 80, 90}}},
      {"FourWorkersTopTwo",
       {.workers = 4, .layers = 2, .experts = 8, .tokens = {60, 0, 81, 9}}},
      {"OddSizes",
       {.workers = 3,
        .layers = 2,
        .hidden = 13,
        .ffn = 29,
        .experts = 5,
        .top_k = 3,
        .tokens = {37, 61, 20}}},
      {"MicroBatches",
       {.workers = 2, .layers = 2, .tokens = {32, 48}, .micro_batches = 3}},
      {"Chains",
       {.workers = 5,
        .layers = 3,
        .experts = 10,
        .top_k = 3,
        .tokens = {60, 0, 81, 9, 50},
        .routes = ChainRoutes()}},
      {"Trees",
       {.workers = 5,
        .layers = 3,
        .experts = 10,
        .top_k = 3,
        .tokens = {60, 0, 81, 9, 50},
        .routes = TreeRoutes()}},
      {"ChainsOfOddSizeInMicroBatches",
       {.workers = 4,
        .layers = 2,
        .hidden = 13,
        .ffn = 29,
        .gated = true,
        .experts = 6,
        .tokens = {32, 48, 40, 37},
        .micro_batches = 3,
        .routes = ChainRoutes()}}};
  return cases;
}

class QuotaLendsTest : public ::testing::TestWithParam<Case> {};

TEST_P(QuotaLendsTest, GradientsAgreeWithThoseWithoutLendsUpToRounding) {
  TrainingOptions options = GetParam().options;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    options.seed = seed;

    const TrainingResult without = Train(options);
    const TrainingResult with = Train(options, RandomQuotas(seed));

    ExpectClose(UpToTheGradients(without), UpToTheGradients(with), kRounding);
    EXPECT_GT(with.lends_in_part, 0);
    EXPECT_EQ(std::accumulate(with.tokens_computed.begin(),
                              with.tokens_computed.end(), int64_t{0}),
              std::accumulate(without.tokens_computed.begin(),
                              without.tokens_computed.end(), int64_t{0}));
  }
}

TEST_P(QuotaLendsTest, SameRunGivesTheSameBitsAgain) {
  TrainingOptions options = GetParam().options;
  options.steps = 4;

  ExpectSameBits(Train(options, RandomQuotas(7)).record,
                 Train(options, RandomQuotas(7)).record);
}

INSTANTIATE_TEST_SUITE_P(Shapes, QuotaLendsTest, ::testing::ValuesIn(Cases()),
                         [](const auto& test_case) {
                           return test_case.param.name;
                         });

// Three quarters of the tokens to expert 0, the others to the next ones in
// turn.
torch::Tensor HotRouter(const torch::Tensor& logits) {
  const torch::Tensor token = torch::arange(logits.size(0));
  return torch::where(token.remainder(4).lt(3), torch::zeros_like(token),
                      token.remainder(logits.size(1)))
      .unsqueeze(1);
}

class PolicyLendsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(PolicyLendsTest, PlansOfThePolicyLowerThePeakAndChangeNoGradient) {
  for (const int32_t workers : {2, 4}) {
    SCOPED_TRACE(workers);
    TrainingOptions options = {
        .workers = workers,
        .layers = 2,
        .experts = 8,
        .top_k = 1,
        .tokens = std::vector<int64_t>(static_cast<size_t>(workers), 120),
        .router = HotRouter};

    const TrainingResult without = Train(options);
    options.policy = GetParam();
    const TrainingResult with = Train(options);

    ExpectClose(UpToTheGradients(without), UpToTheGradients(with), kRounding);
    EXPECT_GT(with.lends_in_part, 0);
    const auto peak = [](const TrainingResult& result) {
      return *std::max_element(result.tokens_computed.begin(),
                               result.tokens_computed.end());
    };
    EXPECT_LE(4 * peak(with), 3 * peak(without));
  }
}

INSTANTIATE_TEST_SUITE_P(Inline, PolicyLendsTest,
                         ::testing::Values("adaptive@inline", "fastermoe",
                                           "fastermoe-paper", "llep",
                                           "ultraep"),
                         [](const auto& test_case) {
                           std::string name = test_case.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return c == '@' || c == '-'; },
                               '_');
                           return name;
                         });

TEST(QuotaLendsTest, GradientIsHomesOwnThenThoseOfTheLendsInThePlansOrder) {
  // Every worker keeps its own tokens; the plan names worker 2 first.
  const OneExpertStep step = RunOneExpertStep(
      {{ExpertId(0), WorkerRank(0), WorkerRank(2), kOneExpertTokens},
       {ExpertId(0), WorkerRank(0), WorkerRank(1), kOneExpertTokens}},
      /*routes=*/{});

  EXPECT_TRUE(torch::equal(step.gradient,
                           step.parts[0] + step.parts[2] + step.parts[1]));
  // Another order would have been seen.
  EXPECT_FALSE(torch::equal(step.gradient,
                            step.parts[0] + step.parts[1] + step.parts[2]));
}

}  // namespace
}  // namespace balancemoe::worker
