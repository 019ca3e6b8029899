// A job with MoE layers of its own, attached to a coordinator. Two workers:
//
//   balancemoe-coordinator &
//   export WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500
//   RANK=0 ./attach & RANK=1 ./attach
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "worker/agent/agent.h"
#include "worker/agent/agent_environment.h"
#include "worker/transport/gloo/gloo_transport.h"

using balancemoe::Iteration;
using balancemoe::LayerId;
using balancemoe::Lend;
using balancemoe::worker::Agent;
using balancemoe::worker::AgentOptions;
using balancemoe::worker::AgentOptionsFromEnvironment;
using balancemoe::worker::GlooFactory;
using balancemoe::worker::LayerRouting;
using balancemoe::worker::LayerTimes;

namespace {

constexpr int32_t kExperts = 8;
constexpr int64_t kExpertBytes = 2'000'000;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "attach: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main() {
  absl::StatusOr<AgentOptions> options = AgentOptionsFromEnvironment();
  if (!options.ok()) return Fail(options.status());

  // Attaching takes five lines.
  options->layers = 1;
  options->experts_per_layer = kExperts;
  options->expert_bytes = kExpertBytes;
  options->transport = GlooFactory();
  absl::StatusOr<std::unique_ptr<Agent>> agent = Agent::Attach(*options);
  if (!agent.ok()) return Fail(agent.status());

  // A real job times its experts and its network; plans with transfers come
  // once every worker has told what it measured.
  (*agent)->ReportCostModel({.expert_launch_us = 20,
                             .us_per_token = 25,
                             .backward_factor = 2,
                             .intra_node = {80, 0.0007},
                             .inter_node = {80, 0.0007},
                             .overlap_slowdown = 1,
                             .host_cpu_us_per_byte = 0,
                             .expert_bytes = kExpertBytes,
                             .token_bytes = 1024});

  for (int64_t iteration = 1; iteration <= 1000; ++iteration) {
    (*agent)->BeginIteration(Iteration(iteration));

    // Between gate and dispatch: what this worker's gate routed to each expert,
    // for the plan that all workers agree on. Without one, there are no lends.
    const std::vector<int64_t> tokens = {900, 700, 100, 100, 60, 60, 60, 60};
    const absl::StatusOr<LayerRouting> routing =
        (*agent)->PlanLayer(LayerId(0), tokens);
    if (!routing.ok()) return Fail(routing.status());

    // Here the job sends each lent expert's parameters through
    // (*agent)->transport(), and its tokens to whom routing->split says, and
    // computes.
    for (const Lend& lend : routing->lends) {
      std::printf(
          "iteration %ld: worker %d lends expert %d (%ld tokens) to %d\n",
          static_cast<long>(iteration), lend.from.value(), lend.expert.value(),
          static_cast<long>(lend.tokens), lend.to.value());
    }

    // What it measured, for the coordinator's metrics.
    (*agent)->ReportOutcome(LayerId(0), LayerTimes());
    if (!routing->lends.empty()) return 0;
  }
  std::printf("no plan with transfers came\n");
  return 1;
}
