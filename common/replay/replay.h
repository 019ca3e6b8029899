#ifndef BALANCEMOE_COMMON_REPLAY_REPLAY_H_
#define BALANCEMOE_COMMON_REPLAY_REPLAY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/planning/profile.h"
#include "common/replay/replay_report.h"
#include "common/replay/trace.h"

namespace balancemoe {

struct ReplayOptions {
  int32_t workers = 8;
  // Names without modes, as in --policy.
  std::vector<std::string> policies;
  // native, inline, ahead or hybrid
  std::string mode = "native";
  // Spare slots per worker of `adaptive`; the peers keep their own.
  int32_t slots = 4;
  // time or imbalance
  std::string objective = "time";
  // For the objective imbalance.
  double target_imbalance = 1;
  // Half open, values of the iteration column; absent: all.
  std::optional<Iteration> first_iteration;
  std::optional<Iteration> end_iteration;
  // Empty: all.
  std::vector<LayerId> layers;
};

// Tokens that a worker computes of an expert under a policy.
struct Assignment {
  std::string policy;
  Iteration iteration;
  LayerId layer;
  ExpertId expert;
  WorkerRank worker;
  int64_t tokens = 0;
};

struct ReplayObserver {
  // `done` of `total` decisions, over all policies. May be empty.
  std::function<void(int64_t done, int64_t total)> progress;
  // Every assignment with tokens; in the order policy, iteration, layer,
  // expert, worker. May be empty.
  std::function<void(const Assignment&)> assignment;
};

// Runs `trace` through the policies under the timing rule of docs/planning.md.
// `clock` only times the solving.
//
// Errors: InvalidArgument, saying which option does not fit and what would: no
// policy, an unknown policy or mode, a mode that the policy cannot run in, a
// number of workers that does not divide the experts or the trace's ranks, an
// empty selection of iterations or layers, or an objective or target that does
// not exist.
absl::StatusOr<ReplayReport> Replay(const Trace& trace, const Profile& profile,
                                    const ReplayOptions& options,
                                    const ReplayObserver& observer,
                                    const Clock& clock);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_REPLAY_REPLAY_H_
