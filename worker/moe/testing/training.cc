#include "worker/moe/testing/training.h"

#include <gtest/gtest.h>
#include <torch/optim/adam.h>

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "worker/moe/moe_layer.h"

namespace balancemoe::worker {
namespace {

// One worker's part of the run.
class Trainer {
 public:
  Trainer(const TrainingOptions& options, LendingAgent& agent)
      : options_(options),
        agent_(agent),
        rank_(agent.transport().rank().value()) {
    result_.tokens_computed.resize(static_cast<size_t>(options.workers));
    for (int32_t layer = 0; layer < options.layers; ++layer) {
      layers_.push_back(
          MoeLayer(MoeLayerOptions{.layer = LayerId(layer),
                                   .hidden = options.hidden,
                                   .ffn = options.ffn,
                                   .gated = options.gated,
                                   .experts = options.experts,
                                   .top_k = options.top_k,
                                   .capacity_factor = options.capacity_factor,
                                   .seed = options.seed,
                                   .kernels = options.kernels},
                   agent));
      if (options.router) layers_.back()->SetRouter(options.router);
      for (auto& item : layers_.back()->named_parameters()) {
        // Gates are not summed up here, so each worker's is its own.
        const bool gate = item.key().rfind("gate", 0) == 0;
        names_.push_back(absl::StrCat("layer", layer, ".", item.key(),
                                      gate ? absl::StrCat(".", rank_) : ""));
        parameters_.push_back(item.value());
      }
    }
  }

  TrainingResult Run() {
    torch::optim::Adam adam(parameters_, torch::optim::AdamOptions(1e-3));
    for (int64_t step = 0; step < options_.steps; ++step) {
      adam.zero_grad();
      for (int64_t micro = 0; micro < options_.micro_batches; ++micro) {
        Backward(step, micro);
      }
      adam.step();
    }
    for (size_t i = 0; i < parameters_.size(); ++i) {
      Keep(absl::StrCat(names_[i], ".value"), parameters_[i]);
      const auto& state = static_cast<torch::optim::AdamParamState&>(
          *adam.state().at(parameters_[i].unsafeGetTensorImpl()));
      Keep(absl::StrCat(names_[i], ".exp_avg"), state.exp_avg());
      Keep(absl::StrCat(names_[i], ".exp_avg_sq"), state.exp_avg_sq());
    }
    return std::move(result_);
  }

 private:
  void Backward(int64_t step, int64_t micro) {
    const int64_t number = step * options_.micro_batches + micro;
    agent_.BeginIteration(Iteration(number));
    const int64_t tokens = options_.tokens[static_cast<size_t>(rank_)];
    const uint64_t seed =
        options_.seed * 1000 + static_cast<uint64_t>(number * 10 + rank_);
    const torch::Tensor input =
        Values({tokens, options_.hidden}, seed).requires_grad_();
    torch::Tensor hidden = input;
    torch::Tensor loss = torch::zeros({});
    for (MoeLayer& layer : layers_) {
      hidden = hidden + torch::tanh(layer->forward(hidden));
      loss = loss + 0.01 * layer->gate_losses().balance;
    }
    loss = loss + (hidden * Values({tokens, options_.hidden}, seed + 7)).sum();
    loss.backward();
    for (MoeLayer& layer : layers_) {
      result_.lends += layer->last_times().lends;
      result_.lends_in_part += layer->last_times().lends_in_part;
      result_.tokens_computed[static_cast<size_t>(rank_)] +=
          layer->last_times().tokens_computed;
    }

    const std::string at = absl::StrCat(number, ".", rank_);
    Keep(absl::StrCat("output.", at), hidden);
    Keep(absl::StrCat("input_grad.", at), input.grad());
    for (size_t i = 0; i < parameters_.size(); ++i) {
      Keep(absl::StrCat(names_[i], ".grad.", number), parameters_[i].grad());
    }
  }

  void Keep(const std::string& name, const torch::Tensor& value) {
    ASSERT_TRUE(value.defined()) << name;
    result_.record[name] = value.detach().clone();
  }

  const TrainingOptions& options_;
  LendingAgent& agent_;
  const int32_t rank_;
  std::vector<MoeLayer> layers_;
  std::vector<std::string> names_;
  std::vector<torch::Tensor> parameters_;
  TrainingResult result_;
};

}  // namespace

TrainingRecord UpToTheGradients(const TrainingResult& result) {
  TrainingRecord record = result.record;
  std::erase_if(record, [](const auto& item) {
    return absl::EndsWith(item.first, ".value");
  });
  return record;
}

torch::Tensor Values(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::empty(shape).uniform_(-1, 1, generator);
}

TrainingResult Train(const TrainingOptions& options, LendChooser lends) {
  Mutex mutex;
  TrainingResult all;
  all.tokens_computed.resize(static_cast<size_t>(options.workers));
  RunWorkers(
      {.workers = options.workers,
       .layers = options.layers,
       .experts = static_cast<int32_t>(options.experts),
       .expert_bytes =
           ExpertShape{options.hidden, options.ffn, options.gated}.bytes(),
       .policy = options.policy,
       .lends = std::move(lends),
       .routes = options.routes},
      [&](LendingAgent& agent) {
        TrainingResult mine = Trainer(options, agent).Run();
        const MutexLock lock(&mutex);
        all.record.merge(std::move(mine.record));
        all.lends += mine.lends;
        all.lends_in_part += mine.lends_in_part;
        for (size_t i = 0; i < all.tokens_computed.size(); ++i) {
          all.tokens_computed[i] += mine.tokens_computed[i];
        }
      });
  return all;
}

void ExpectSameBits(const TrainingRecord& expected,
                    const TrainingRecord& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(actual.contains(name)) << name;
    const torch::Tensor& other = actual.at(name);
    ASSERT_EQ(tensor.sizes(), other.sizes()) << name;
    EXPECT_EQ(std::memcmp(tensor.const_data_ptr(), other.const_data_ptr(),
                          tensor.nbytes()),
              0)
        << name << " differs by up to "
        << (tensor - other).abs().max().item<float>();
  }
}

void ExpectClose(const TrainingRecord& expected, const TrainingRecord& actual,
                 double relative) {
  ASSERT_EQ(expected.size(), actual.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(actual.contains(name)) << name;
    const torch::Tensor& other = actual.at(name);
    ASSERT_EQ(tensor.sizes(), other.sizes()) << name;
    if (tensor.numel() == 0) continue;
    EXPECT_LE((tensor - other).abs().max().item<double>(),
              relative * tensor.abs().max().item<double>())
        << name;
  }
}

}  // namespace balancemoe::worker
