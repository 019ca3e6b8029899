#ifndef BALANCEMOE_WORKER_AGENT_TESTING_CHEAP_TRANSFERS_H_
#define BALANCEMOE_WORKER_AGENT_TESTING_CHEAP_TRANSFERS_H_

#include <cstdint>

#include "common/planning/cost_model.h"

namespace balancemoe::worker {

// A cost model under which lending pays: sending an expert takes about as long
// as computing a token.
inline CostModel CheapTransfers(int64_t expert_bytes) {
  return {.expert_launch_us = 1,
          .us_per_token = 1,
          .backward_factor = 2,
          .intra_node = {1, 1e-6},
          .inter_node = {1, 1e-6},
          .overlap_slowdown = 1,
          .host_cpu_us_per_byte = 0,
          .expert_bytes = expert_bytes,
          .token_bytes = 64};
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_TESTING_CHEAP_TRANSFERS_H_
