#ifndef BALANCEMOE_WORKER_MOE_TESTING_WORKER_GROUP_H_
#define BALANCEMOE_WORKER_MOE_TESTING_WORKER_GROUP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "worker/moe/testing/lending_agent.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

struct WorkerGroupOptions {
  int32_t workers = 2;
  int32_t layers = 1;
  int32_t experts = 4;
  int64_t expert_bytes = 0;
  // Plans where `lends` does not.
  std::string policy = "static";
  LendChooser lends = {};
  // By which experts that several borrow are routed; the default sends to each.
  CostModel routes = {};
  // [W]; empty: all on one.
  std::vector<int32_t> node_of_worker = {};
  // Puts something around every worker's transport.
  std::function<TransportFactory(TransportFactory)> wrap = {};
};

// Runs `worker` on `options.workers` threads, each with an agent of its own
// over the loopback transport, and returns when all have ended. An exception of
// one becomes a test failure.
void RunWorkers(const WorkerGroupOptions& options,
                const std::function<void(LendingAgent& agent)>& worker);

// Lends drawn at random from (seed, iteration, layer): each expert stays or
// goes to any other worker.
LendChooser RandomLends(uint64_t seed);

// The same, but in parts: any other workers borrow any numbers of an expert's
// tokens, all of them or fewer.
LendChooser RandomQuotas(uint64_t seed);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TESTING_WORKER_GROUP_H_
