#include <torch/utils.h>

// Lends with quotas: a borrower computes some of an expert's tokens, home the
// rest, and the parts of the gradient add up at home.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/mutex.h"
#include "worker/moe/expert_ffn.h"
#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

// What agreement to rounding means, relative to the largest value of a tensor.
constexpr double kRounding = 1e-5;

// Without the parameters: Adam's first steps have the size of the learning rate
// whatever the gradient's, so they tell the sign of a rounding error.
TrainingRecord UpToTheGradients(const TrainingResult& result) {
  TrainingRecord record = result.record;
  std::erase_if(record, [](const auto& item) {
    return absl::EndsWith(item.first, ".value");
  });
  return record;
}

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
       {.workers = 2, .layers = 2, .tokens = {32, 48}, .micro_batches = 3}}};
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

constexpr int64_t kHidden = 16;
constexpr int64_t kFfn = 24;
constexpr int64_t kTokens = 40;

torch::Tensor AllToExpertZero(const torch::Tensor& logits) {
  return torch::zeros({logits.size(0), 1}, torch::kLong);
}

// What worker `rank` trains on.
torch::Tensor InputOf(int32_t rank) {
  return Values({kTokens, kHidden}, static_cast<uint64_t>(20 + rank));
}
torch::Tensor GradientOf(int32_t rank) {
  return Values({kTokens, kHidden}, static_cast<uint64_t>(30 + rank));
}

// Expert 0's own part of the gradient of w1 on worker `rank`, whose tokens it
// computes there, by the same GEMMs as the layer's.
torch::Tensor PartOf(int32_t rank, const ExpertTensors& parameters) {
  ExpertTensors gradient;
  for (size_t i = 0; i < gradient.all.size(); ++i) {
    gradient.all[i] = torch::empty_like(parameters.all[i]);
  }
  FfnActivations activations;
  FfnForward(InputOf(rank), parameters, activations);
  FfnBackward(GradientOf(rank), InputOf(rank), activations, parameters,
              gradient);
  return gradient.w1();
}

TEST(QuotaLendsTest, GradientIsHomesOwnThenThoseOfTheLendsInThePlansOrder) {
  // Every worker keeps its own tokens; the plan names worker 2 first.
  const LendChooser lends = [](Iteration, LayerId, const LayerRouting&) {
    return std::vector<Lend>{
        {ExpertId(0), WorkerRank(0), WorkerRank(2), kTokens},
        {ExpertId(0), WorkerRank(0), WorkerRank(1), kTokens}};
  };
  torch::Tensor sum;
  std::array<torch::Tensor, 3> parts;
  RunWorkers(
      {.workers = 3,
       .experts = 3,
       .expert_bytes = ExpertShape{kHidden, kFfn}.bytes(),
       .lends = lends},
      [&](LendingAgent& agent) {
        MoeLayer layer(
            MoeLayerOptions{
                .hidden = kHidden, .ffn = kFfn, .experts = 3, .top_k = 1},
            agent);
        layer->SetRouter(AllToExpertZero);
        agent.BeginIteration(Iteration(0));
        const int32_t rank = agent.transport().rank().value();
        layer->forward(InputOf(rank).requires_grad_())
            .backward(GradientOf(rank));
        if (rank != 0) return;
        const torch::NoGradGuard no_grad;
        const ExpertTensors& expert = *layer->experts().Find(ExpertId(0));
        sum = expert.w1().grad().clone();
        for (int32_t i = 0; i < 3; ++i) {
          parts[static_cast<size_t>(i)] = PartOf(i, expert);
        }
      });

  EXPECT_TRUE(torch::equal(sum, parts[0] + parts[2] + parts[1]));
  // Another order would have been seen.
  EXPECT_FALSE(torch::equal(sum, parts[0] + parts[1] + parts[2]));
}

}  // namespace
}  // namespace balancemoe::worker
