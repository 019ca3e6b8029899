#ifndef BALANCEMOE_WORKER_TRAIN_QUOTA_ROUTING_H_
#define BALANCEMOE_WORKER_TRAIN_QUOTA_ROUTING_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace balancemoe::worker {

// Routing with a wanted imbalance, for experiments: how many tokens each expert
// gets is given, which ones is drawn at random.
struct QuotaSpec {
  // Load of worker 0 over the mean load of workers; at least 1.
  double imbalance = 1;
  int32_t workers = 1;
  int32_t experts = 1;
  int32_t top_k = 1;
  // Of one step, all workers together.
  int64_t tokens = 0;
};

// Assignments per expert, [experts]; they add up to tokens * top_k and none is
// more than `tokens`.
//
// At imbalance 1 all experts get the same. Above, the experts whose home is
// worker 0 get imbalance / workers of all, in proportion 1, 1/2, 1/3, ..., each
// at most 1 / workers and 1 / top_k of all, the excess going to the next; the
// other workers share the rest equally. Rounded by largest remainder.
//
// Errors: InvalidArgument, naming --imbalance, where that cannot be: below 1,
// or above the workers or the experts of worker 0.
absl::StatusOr<std::vector<int64_t>> QuotaCounts(const QuotaSpec& spec);

// The experts of each token, row-major [tokens, top_k], for `counts` as
// QuotaCounts gives them; no expert twice in a row. Equal seeds give equal
// rows.
std::vector<int64_t> QuotaAssignment(const std::vector<int64_t>& counts,
                                     int32_t top_k, uint64_t seed);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_QUOTA_ROUTING_H_
