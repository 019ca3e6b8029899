#include "worker/moe/testing/worker_group.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <exception>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "worker/agent/local_agent.h"
#include "worker/agent/testing/cheap_transfers.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {
namespace {

void RunWorker(const WorkerGroupOptions& options, LoopbackHub& hub,
               int32_t rank,
               const std::function<void(LendingAgent& agent)>& worker) {
  at::set_num_threads(1);
  LocalRendezvous rendezvous;
  TransportFactory factory = hub.Factory();
  if (options.wrap) factory = options.wrap(std::move(factory));
  auto transport = factory({.rank = WorkerRank(rank),
                            .world_size = options.workers,
                            .operation_timeout = absl::Seconds(50)},
                           rendezvous);
  ASSERT_TRUE(transport.ok()) << transport.status();
  auto local = LocalAgent::Create(
      {.layers = options.layers,
       .experts_per_layer = options.experts,
       .expert_bytes = options.expert_bytes,
       .node = options.node_of_worker.empty()
                   ? 0
                   : options.node_of_worker[static_cast<size_t>(rank)],
       .policy = options.policy,
       .cost_model = CheapTransfers(options.expert_bytes)},
      *std::move(transport));
  ASSERT_TRUE(local.ok()) << local.status();
  LendingAgent agent(*std::move(local), options.lends, options.routes);
  try {
    worker(agent);
  } catch (const std::exception& error) {
    agent.transport().Abort(absl::InternalError(error.what()));
    ADD_FAILURE() << "worker " << rank << ": " << error.what();
  }
}

std::mt19937 RandomFor(uint64_t seed, Iteration iteration, LayerId layer) {
  std::seed_seq sequence = {static_cast<int64_t>(seed), iteration.value(),
                            static_cast<int64_t>(layer.value())};
  return std::mt19937(sequence);
}

}  // namespace

void RunWorkers(const WorkerGroupOptions& options,
                const std::function<void(LendingAgent& agent)>& worker) {
  LoopbackHub hub;
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < options.workers; ++rank) {
    threads.emplace_back([&, rank] { RunWorker(options, hub, rank, worker); });
  }
  for (std::thread& thread : threads) thread.join();
}

LendChooser RandomLends(uint64_t seed) {
  return [seed](Iteration iteration, LayerId layer,
                const LayerRouting& routing) {
    std::mt19937 random = RandomFor(seed, iteration, layer);
    const auto workers = static_cast<uint32_t>(routing.tokens.num_workers());
    std::vector<Lend> lends;
    for (size_t i = 0; i < routing.home_of_expert.size(); ++i) {
      const ExpertId expert(static_cast<int32_t>(i));
      const WorkerRank from = routing.home_of_expert[i];
      const WorkerRank to(static_cast<int32_t>(random() % workers));
      if (to != from) lends.push_back({expert, from, to});
    }
    std::shuffle(lends.begin(), lends.end(), random);
    return lends;
  };
}

LendChooser RandomQuotas(uint64_t seed) {
  return
      [seed](Iteration iteration, LayerId layer, const LayerRouting& routing) {
        std::mt19937 random = RandomFor(seed, iteration, layer);
        std::vector<WorkerRank> workers;
        for (int32_t w = 0; w < routing.tokens.num_workers(); ++w) {
          workers.emplace_back(w);
        }
        std::vector<Lend> lends;
        for (size_t i = 0; i < routing.home_of_expert.size(); ++i) {
          const ExpertId expert(static_cast<int32_t>(i));
          const WorkerRank from = routing.home_of_expert[i];
          int64_t left = routing.tokens.TokensOfExpert(expert);
          std::shuffle(workers.begin(), workers.end(), random);
          for (const WorkerRank to : workers) {
            const int64_t tokens = static_cast<int64_t>(random()) % (left + 1);
            if (to == from || random() % 3 == 0) continue;
            lends.push_back({expert, from, to, tokens});
            left -= tokens;
          }
        }
        return lends;
      };
}

}  // namespace balancemoe::worker
