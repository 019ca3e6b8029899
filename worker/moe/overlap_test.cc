#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/training.h"
#include "worker/transport/delayed_transport.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kHidden = 256;
constexpr int64_t kFfn = 1024;
// Of the lent expert, from each worker.
constexpr int64_t kLentTokens = 16;
constexpr absl::Duration kStaying = absl::Milliseconds(100);

const WorkerRank kW0(0);
const WorkerRank kW1(1);

// Each worker's own tokens go to an expert that stays at home with it, expert 0
// or 2; a few go to expert 1, which lives on worker 0.
Router MostlyAtHome(int64_t home_expert) {
  return [home_expert](const torch::Tensor& logits) {
    torch::Tensor experts =
        torch::full({logits.size(0), 1}, home_expert, torch::kLong);
    experts.narrow(0, 0, kLentTokens).fill_(1);
    return experts;
  };
}

// What one worker measured.
struct Measured {
  absl::Duration forward;
  absl::Duration forward_compute;
  absl::Duration forward_exposed;
  // Of forward and backward.
  absl::Duration exposed;
};

Measured Iterate(LendingAgent& agent, int64_t tokens, bool backward) {
  MoeLayer layer(
      MoeLayerOptions{.hidden = kHidden, .ffn = kFfn, .experts = 4, .top_k = 1},
      agent);
  const int32_t rank = agent.transport().rank().value();
  layer->SetRouter(MostlyAtHome(2 * rank));
  const torch::Tensor input =
      Values({tokens + kLentTokens, kHidden}, 1).requires_grad_(backward);
  const torch::Tensor out = layer->forward(input);
  Measured measured = {.forward = layer->last_times().forward,
                       .forward_compute = layer->last_times().expert_compute,
                       .forward_exposed = layer->last_times().exposed_transfer,
                       .exposed = absl::ZeroDuration()};
  if (backward) out.sum().backward();
  measured.exposed = layer->last_times().exposed_transfer;
  return measured;
}

// One iteration on two workers with `tokens` each beside the lent ones; the
// lent expert goes to worker 1 over a link of `latency`.
std::array<Measured, 2> RunDelayed(int64_t tokens, absl::Duration latency) {
  std::array<Measured, 2> measured;
  RunWorkers({.workers = 2,
              .experts = 4,
              .expert_bytes = ExpertShape{kHidden, kFfn}.bytes(),
              .lends =
                  [](Iteration, LayerId, const LayerRouting&) {
                    return std::vector<Lend>{{ExpertId(1), kW0, kW1}};
                  },
              .wrap =
                  [latency](TransportFactory factory) {
                    return DelayedFactory(std::move(factory),
                                          {.latency = latency});
                  }},
             [&](LendingAgent& agent) {
               measured[agent.transport().rank().index()] =
                   Iterate(agent, tokens, /*backward=*/true);
             });
  return measured;
}

// Tokens whose forward takes about kStaying when this machine is at its
// fastest.
int64_t StayingTokens() {
  constexpr int64_t kProbe = 512;
  absl::Duration fastest = absl::InfiniteDuration();
  RunWorkers({.workers = 1,
              .experts = 4,
              .expert_bytes = ExpertShape{kHidden, kFfn}.bytes()},
             [&](LendingAgent& agent) {
               for (int i = 0; i < 5; ++i) {
                 const torch::NoGradGuard no_grad;
                 fastest = std::min(
                     fastest, Iterate(agent, kProbe, false).forward_compute);
               }
             });
  return static_cast<int64_t>(kProbe * absl::FDivDuration(kStaying, fastest));
}

TEST(OverlapTest, ADelayBelowTheStayingComputeIsHidden) {
  const absl::Duration latency = kStaying / 4;

  for (const Measured& measured : RunDelayed(StayingTokens(), latency)) {
    // What the delay can hide behind.
    ASSERT_GT(measured.forward_compute, 2 * latency);
    EXPECT_LT(measured.exposed, latency / 2);
  }
}

TEST(OverlapTest, ADelayAboveTheStayingComputeIsExposedByTheDifference) {
  const absl::Duration latency = 4 * kStaying;

  const Measured borrower = RunDelayed(StayingTokens(), latency)[1];

  // Nothing arrives early, and what compute does not hide is waited for.
  EXPECT_GE(borrower.forward, latency);
  EXPECT_LE(borrower.forward_exposed,
            std::max(latency - borrower.forward_compute / 2, latency / 10));
}

}  // namespace
}  // namespace balancemoe::worker
