// Uses the installed MoE layer: two workers, as threads, one forward and
// backward.

#include <torch/torch.h>

#include <cstdint>
#include <cstdio>
#include <thread>

#include "worker/agent/local_agent.h"
#include "worker/expert/expert_slab.h"
#include "worker/moe/moe_layer.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace {

using balancemoe::LayerId;
using balancemoe::WorkerRank;
namespace bm = balancemoe::worker;

constexpr int64_t kHidden = 16;
constexpr int64_t kFfn = 32;

bool Train(bm::LoopbackHub& hub, int32_t rank) {
  bm::LocalRendezvous rendezvous;
  auto transport =
      hub.Factory()({.rank = WorkerRank(rank), .world_size = 2}, rendezvous);
  if (!transport.ok()) return false;
  const bm::ExpertShape shape = {.hidden = kHidden, .ffn = kFfn};
  auto agent = bm::LocalAgent::Create({.layers = 1,
                                       .experts_per_layer = 4,
                                       .expert_bytes = shape.bytes(),
                                       .policy = "pairwise"},
                                      *std::move(transport));
  if (!agent.ok()) return false;
  bm::MoeLayer layer(
      bm::MoeLayerOptions{
          .layer = LayerId(0), .hidden = kHidden, .ffn = kFfn, .experts = 4},
      **agent);
  (*agent)->BeginIteration(balancemoe::Iteration(1));
  const torch::Tensor out = layer->forward(torch::ones({8, kHidden}));
  out.sum().backward();
  return out.size(0) == 8 && out.isfinite().all().item<bool>();
}

}  // namespace

int main() {
  bm::LoopbackHub hub;
  bool first = false;
  std::thread other([&] { first = Train(hub, 1); });
  const bool second = Train(hub, 0);
  other.join();
  std::puts(first && second ? "trained" : "failed");
  return first && second ? 0 : 1;
}
