#include "worker/moe/moe_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "worker/moe/testing/small_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The layer in plain Torch, on one worker that has all experts, each of which
// takes `capacity` tokens, first choices first.
torch::Tensor Dense(const MoeLayer& layer, const torch::Tensor& hidden,
                    int64_t capacity = 1000) {
  const auto parameters = layer->named_parameters();
  const torch::Tensor logits = hidden.matmul(parameters["gate.weight"].t());
  const auto [scores, ids] = logits.topk(2, -1);
  const torch::Tensor weights = scores.softmax(-1);
  torch::Tensor out = torch::zeros_like(hidden);
  for (int64_t expert = 0; expert < kExperts; ++expert) {
    const std::string name = absl::StrCat("experts.", expert, ".");
    const torch::Tensor z =
        torch::linear(hidden, parameters[name + "w1"], parameters[name + "b1"]);
    const torch::Tensor inner =
        z.size(1) == kFfn ? torch::gelu(z)
                          : torch::silu(z.slice(1, 0, kFfn)) * z.slice(1, kFfn);
    const torch::Tensor outer =
        torch::linear(inner, parameters[name + "w2"], parameters[name + "b2"]);
    // In the order of [K, T].
    const torch::Tensor chosen = (ids == expert).to(torch::kLong).t();
    const torch::Tensor before =
        chosen.flatten().cumsum(0).view(chosen.sizes()) - chosen;
    const torch::Tensor kept =
        (chosen * (before < capacity)).t().to(torch::kFloat);
    const torch::Tensor weight = (weights * kept).sum(-1, true);
    out = out + weight * outer;
  }
  return out;
}

// Gradients of all parameters and of the input, by name.
TrainingRecord Gradients(MoeLayer& layer, const torch::Tensor& input,
                         const torch::Tensor& out) {
  TrainingRecord record;
  (out * Values(out.sizes(), 99)).sum().backward();
  for (auto& item : layer->named_parameters()) {
    record[item.key()] = item.value().grad().clone();
    item.value().mutable_grad().reset();
  }
  record["input"] = input.grad().clone();
  record["output"] = out.detach().clone();
  return record;
}

TEST(MoeLayerTest, AgreesWithADenseLayerInPlainTorch) {
  for (const bool gated : {false, true}) {
    SCOPED_TRACE(gated);
    RunWorkers(SmallGroup(1, nullptr), [&](LendingAgent& agent) {
      MoeLayerOptions options = SmallLayer();
      options.gated = gated;
      MoeLayer layer(options, agent);

      const torch::Tensor input = Input(0);
      const TrainingRecord actual =
          Gradients(layer, input, layer->forward(input));
      const torch::Tensor same_input = Input(0);
      const TrainingRecord expected =
          Gradients(layer, same_input, Dense(layer, same_input));

      for (const auto& [name, tensor] : expected) {
        EXPECT_TRUE(torch::allclose(actual.at(name), tensor, 1e-5, 1e-5))
            << name;
      }
      EXPECT_EQ(actual.at("experts.0.w1").size(0), gated ? 2 * kFfn : kFfn);
    });
  }
}

TEST(MoeLayerTest, WhatIsOverTheCapacityAddsNothingAndIsCounted) {
  RunWorkers(SmallGroup(1, nullptr), [](LendingAgent& agent) {
    MoeLayerOptions options = SmallLayer();
    options.capacity_factor = 0.7;
    MoeLayer layer(options, agent);
    // 0.7 * 30 * 2 / 4 tokens each.
    constexpr int64_t kCapacity = 11;

    const torch::Tensor input = Input(0);
    const TrainingRecord actual =
        Gradients(layer, input, layer->forward(input));
    const torch::Tensor same_input = Input(0);
    const TrainingRecord expected =
        Gradients(layer, same_input, Dense(layer, same_input, kCapacity));

    for (const auto& [name, tensor] : expected) {
      EXPECT_TRUE(torch::allclose(actual.at(name), tensor, 1e-5, 1e-5)) << name;
    }
    const MoeLayerTimes& times = layer->last_times();
    EXPECT_GE(times.tokens_dropped, 60 - 4 * kCapacity);
    EXPECT_EQ(times.tokens_computed + times.tokens_dropped, 60);
  });
}

// Sums the expert gradients of `workers` workers that share 60 tokens.
TrainingRecord ExpertGradients(int32_t workers, LendChooser lends) {
  Mutex mutex;
  TrainingRecord all;
  RunWorkers(SmallGroup(workers, std::move(lends)), [&](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const int32_t rank = agent.transport().rank().value();
    const torch::Tensor input = torch::cat({Input(0), Input(1)})
                                    .chunk(workers)[static_cast<size_t>(rank)]
                                    .clone();
    layer->forward(input).sum().backward();
    const MutexLock lock(&mutex);
    for (auto& item : layer->experts().named_parameters()) {
      all[item.key()] = item.value().grad().clone();
    }
  });
  return all;
}

TEST(MoeLayerTest, WorkersTogetherComputeWhatOneWorkerDoes) {
  const TrainingRecord one = ExpertGradients(1, nullptr);
  const TrainingRecord two = ExpertGradients(2, LendAllOfWorkerZero);

  ASSERT_EQ(one.size(), two.size());
  for (const auto& [name, tensor] : one) {
    EXPECT_TRUE(torch::allclose(two.at(name), tensor, 1e-5, 1e-5)) << name;
  }
}

TEST(MoeLayerTest, GradientsAgreeWithFiniteDifferences) {
  constexpr float kStep = 1e-2F;
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    // The choice must not change under small steps.
    layer->SetRouter([](const torch::Tensor& logits) {
      const torch::Tensor first = torch::arange(logits.size(0)) % kExperts;
      return torch::stack({first, (first + 1) % kExperts}, 1);
    });
    const torch::Tensor input = Input(agent.transport().rank().value(), 3);
    const torch::Tensor weights = Values({3, kHidden}, 5);
    const auto loss = [&] { return (layer->forward(input) * weights).sum(); };
    loss().backward();
    const torch::Tensor gate = layer->named_parameters()["gate.weight"];
    for (const torch::Tensor& tensor : {input, gate}) {
      for (int64_t i = 0; i < tensor.numel(); i += 5) {
        const torch::NoGradGuard no_grad;
        const torch::Tensor element = tensor.view(-1)[i];
        element.add_(kStep);
        const float above = loss().item<float>();
        element.add_(-2 * kStep);
        const float below = loss().item<float>();
        element.add_(kStep);

        EXPECT_NEAR(tensor.grad().view(-1)[i].item<float>(),
                    (above - below) / (2 * kStep), 2e-3F)
            << i;
      }
    }
  });
}

TEST(MoeLayerTest, ForwardsWithoutBackwardGiveTheirSlotsBack) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const torch::Tensor input = Input(agent.transport().rank().value());
    layer->forward(input).sum().backward();
    const int64_t bytes = layer->experts().allocated_bytes();
    EXPECT_EQ(layer->last_times().lends, 2);

    for (int i = 0; i < 3; ++i) {
      layer->forward(input);
      const torch::NoGradGuard no_grad;
      EXPECT_FALSE(layer->forward(input).requires_grad());
    }
    layer->forward(input).sum().backward();

    EXPECT_EQ(layer->experts().allocated_bytes(), bytes);
  });
}

TEST(MoeLayerTest, ABorrowedExpertIsVisibleOnlyWhileItIsBorrowed) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    if (agent.transport().rank() == WorkerRank(0)) {
      layer->forward(Input(0)).sum().backward();
      return;
    }
    ExpertStore& store = layer->experts();

    EXPECT_EQ(store.Find(ExpertId(0)), nullptr);
    const torch::Tensor out = layer->forward(Input(1));
    EXPECT_NE(store.Find(ExpertId(0)), nullptr);
    out.sum().backward();
    EXPECT_EQ(store.Find(ExpertId(0)), nullptr);
  });
}

// Two forwards, then both backwards, the later first; and a graph that uses the
// layer twice.
TrainingRecord SeveralForwards(LendChooser lends) {
  Mutex mutex;
  TrainingRecord all;
  RunWorkers(SmallGroup(2, std::move(lends)), [&](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const int32_t rank = agent.transport().rank().value();
    const torch::Tensor input = Input(rank);
    agent.BeginIteration(Iteration(1));
    const torch::Tensor first = layer->forward(input);
    agent.BeginIteration(Iteration(2));
    const torch::Tensor second = layer->forward(input * 2);
    second.sum().backward();
    first.sum().backward();
    torch::Tensor chain = input;
    for (int i = 3; i < 6; ++i) {
      agent.BeginIteration(Iteration(i));
      chain = layer->forward(chain);
    }
    chain.sum().backward();
    const MutexLock lock(&mutex);
    all[absl::StrCat("input", rank)] = input.grad().clone();
    for (auto& item : layer->experts().named_parameters()) {
      all[item.key()] = item.value().grad().clone();
    }
  });
  return all;
}

TEST(MoeLayerTest, SeveralForwardsBeforeTheirBackwardsGiveTheSameBits) {
  const TrainingRecord without = SeveralForwards(nullptr);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    ExpectSameBits(without, SeveralForwards(RandomLends(seed)));
  }
}

TEST(MoeLayerTest, ASecondBackwardThroughBorrowedExpertsIsRefused) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const torch::Tensor loss =
        layer->forward(Input(agent.transport().rank().value())).sum();
    loss.backward({}, /*retain_graph=*/true);

    try {
      loss.backward();
      ADD_FAILURE() << "no error";
    } catch (const c10::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("have been given back"));
    }
  });
}

TEST(MoeLayerTest, GradientOfTheInputAloneTouchesNoExpert) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    const torch::Tensor input = Input(agent.transport().rank().value());

    const auto gradients =
        torch::autograd::grad({layer->forward(input).sum()}, {input});

    EXPECT_GT(gradients[0].abs().sum().item<float>(), 0);
    for (const torch::Tensor& parameter : layer->experts().parameters()) {
      EXPECT_EQ(parameter.grad().abs().sum().item<float>(), 0);
    }
  });
}

TEST(MoeLayerTest, ZLossIsTheMeanSquareOfTheLogSumAndHasItsGradient) {
  RunWorkers(SmallGroup(1, nullptr), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    torch::Tensor weight = layer->named_parameters()["gate.weight"];
    {
      const torch::NoGradGuard no_grad;
      weight.zero_();
    }
    layer->forward(Input(0, 40));
    const auto log_sum = static_cast<float>(std::log(kExperts));
    EXPECT_NEAR(layer->gate_losses().z.item<float>(), log_sum * log_sum, 1e-5);

    // d z / d logits = 2 log_sum softmax / T, the same for all experts here.
    layer->gate_losses().z.backward();
    const torch::Tensor expected =
        (Input(0, 40).mean(/*dim=*/0) * (2 * log_sum / kExperts))
            .expand_as(weight);
    EXPECT_LT((weight.grad() - expected).abs().max().item<float>(), 1e-5);
  });
}

TEST(MoeLayerTest, AuxLossIsOneOnAnEvenLoadAndHasAGradient) {
  RunWorkers(SmallGroup(1, nullptr), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    layer->SetRouter([](const torch::Tensor& logits) {
      const torch::Tensor first = torch::arange(logits.size(0)) % kExperts;
      return torch::stack({first, (first + 1) % kExperts}, 1);
    });
    layer->forward(Input(0, 40));

    EXPECT_NEAR(layer->gate_losses().balance.item<float>(), 1, 1e-5);

    layer->SetRouter(TopKRouter(2));
    layer->forward(Input(0, 40));
    layer->gate_losses().balance.backward();
    EXPECT_GT(layer->named_parameters()["gate.weight"]
                  .grad()
                  .abs()
                  .sum()
                  .item<float>(),
              0);
  });
}

TEST(MoeLayerTest, ParametersAreNamedByExpertAndDoNotDependOnTheirHome) {
  TrainingRecord one;
  RunWorkers(SmallGroup(1, nullptr), [&](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    for (auto& item : layer->named_parameters()) {
      one[item.key()] = item.value();
    }
  });
  RunWorkers(SmallGroup(4, nullptr), [&](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    std::vector<std::string> names;
    for (auto& item : layer->named_parameters()) {
      names.push_back(item.key());
      EXPECT_TRUE(torch::equal(item.value(), one.at(item.key())));
    }

    const std::string prefix =
        absl::StrCat("experts.", agent.transport().rank().value(), ".");
    EXPECT_THAT(names, ElementsAre("gate.weight", prefix + "w1", prefix + "b1",
                                   prefix + "w2", prefix + "b2"));
  });
}

TEST(MoeLayerTest, TimesAndOutcomeOfALendAreMeasured) {
  RunWorkers(SmallGroup(2, LendAllOfWorkerZero), [](LendingAgent& agent) {
    MoeLayer layer(SmallLayer(), agent);
    layer->forward(Input(agent.transport().rank().value())).sum().backward();

    const MoeLayerTimes& times = layer->last_times();
    const int64_t bytes = ExpertShape{kHidden, kFfn}.bytes();
    EXPECT_EQ(times.transfer_bytes, 2 * bytes);
    EXPECT_GE(times.exposed_transfer, absl::ZeroDuration());
    EXPECT_GT(times.all_to_all, absl::ZeroDuration());
    EXPECT_GE(times.forward + times.backward,
              times.expert_compute + times.all_to_all);
    ASSERT_EQ(agent.outcomes().size(), 1U);
    EXPECT_EQ(agent.outcomes()[0].second.transfer_bytes, 2 * bytes);
    EXPECT_EQ(agent.outcomes()[0].second.layer, times.forward + times.backward);
  });
}

}  // namespace
}  // namespace balancemoe::worker
