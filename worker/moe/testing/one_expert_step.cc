#include "worker/moe/testing/one_expert_step.h"

#include <torch/utils.h>

#include "worker/moe/expert_ffn.h"
#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kHidden = 16;
constexpr int64_t kFfn = 24;

torch::Tensor AllToExpertZero(const torch::Tensor& logits) {
  return torch::zeros({logits.size(0), 1}, torch::kLong);
}

// What worker `rank` trains on.
torch::Tensor InputOf(int32_t rank) {
  return Values({kOneExpertTokens, kHidden}, static_cast<uint64_t>(20 + rank));
}
torch::Tensor GradientOf(int32_t rank) {
  return Values({kOneExpertTokens, kHidden}, static_cast<uint64_t>(30 + rank));
}

// Expert 0's own part of the gradient of w1 on worker `rank`, whose tokens it
// computes there.
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

}  // namespace

OneExpertStep RunOneExpertStep(const std::vector<Lend>& lends,
                               const CostModel& routes) {
  OneExpertStep step;
  step.expert_bytes = ExpertShape{kHidden, kFfn}.bytes();
  RunWorkers(
      {.workers = 3,
       .experts = 3,
       .expert_bytes = step.expert_bytes,
       .lends = [&](Iteration, LayerId, const LayerRouting&) { return lends; },
       .routes = routes},
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
        step.bytes_sent[static_cast<size_t>(rank)] =
            layer->last_times().transfer_bytes;
        if (rank != 0) return;
        const torch::NoGradGuard no_grad;
        const ExpertTensors& expert = *layer->experts().Find(ExpertId(0));
        step.gradient = expert.w1().grad().clone();
        for (int32_t i = 0; i < 3; ++i) {
          step.parts[static_cast<size_t>(i)] = PartOf(i, expert);
        }
      });
  return step;
}

}  // namespace balancemoe::worker
