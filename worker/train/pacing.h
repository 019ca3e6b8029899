#ifndef BALANCEMOE_WORKER_TRAIN_PACING_H_
#define BALANCEMOE_WORKER_TRAIN_PACING_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/profile.h"
#include "worker/train/train_options.h"

namespace balancemoe::worker {

// A small model that trains with the times of a profile's model and machine, in
// slow motion: compute, transfers and exchanges of tokens take `scale` times as
// long as there, and each token stands for `tokens`. A value.
struct Pacing {
  Profile profile;
  double scale = 1;
  double tokens = 1;
};

// What the options ask for; none without --pace.
//
// Errors: those of LoadProfile.
absl::StatusOr<std::optional<Pacing>> PacingOf(const TrainOptions& options);

// The profile's cost model in slow motion, for experts of `expert_bytes` that
// stand for the profile's.
CostModel PacedCostModel(const Pacing& pacing, int64_t expert_bytes);

// What a token's row takes on the way here, without latency, us.
double PacedExchangeUsPerToken(const Pacing& pacing, LinkClass link);

// Of a worker, where the profile's nodes are filled in the order of ranks.
int32_t PacedNode(const Pacing& pacing, WorkerRank rank);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_PACING_H_
