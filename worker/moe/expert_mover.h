#ifndef BALANCEMOE_WORKER_MOE_EXPERT_MOVER_H_
#define BALANCEMOE_WORKER_MOE_EXPERT_MOVER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/planning/job_placement.h"
#include "worker/agent/agent.h"
#include "worker/expert/move_executor.h"
#include "worker/moe/moe_layer.h"

namespace balancemoe::worker {

// What came of the moves at the end of one step.
struct MoveReport {
  // Experts that changed their home, of all workers, and those that were to but
  // did not, because some worker did not get what it was sent.
  int64_t moves = 0;
  int64_t refused = 0;
  // By this worker.
  int64_t bytes_sent = 0;
  absl::Duration elapsed;
  // Why some were refused, in words.
  std::string reason;
};

// Carries out, at the end of each step, the moves that the layers' plans hold:
//
//   optimizer step --> MoveExperts() --> next forward
//
// For jobs whose agent has AgentOptions::moves_experts set and whose layers
// keep the optimizer's state (MoeLayerOptions::moments). Used from the training
// thread.
class ExpertMover {
 public:
  // `layers` are all MoE layers of the job; `agent` must outlive the mover.
  ExpertMover(Agent& agent, std::vector<MoeLayer> layers,
              MoveObserver observer = {})
      : agent_(agent),
        layers_(std::move(layers)),
        observer_(std::move(observer)) {}

  // Makes the moves that were planned since the last call. Afterwards the
  // parameters of moved experts are others (ExpertStore). A collective.
  //
  // Errors: FailedPrecondition while a forward waits for its backward; those of
  // the transport, after which the job must go on from a checkpoint.
  absl::StatusOr<MoveReport> MoveExperts();

  // Moves experts until they live where `placement` says; its version counts
  // for nothing. A collective, with the same errors.
  absl::StatusOr<MoveReport> RestorePlacement(const JobPlacement& placement);

  // Where the experts live; the version is 0.
  JobPlacement CurrentPlacement() const;

 private:
  absl::StatusOr<MoveReport> Move(const std::vector<LayerMoves>& moves);

  Agent& agent_;
  std::vector<MoeLayer> layers_;
  const MoveObserver observer_;
  const SteadyClock clock_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_EXPERT_MOVER_H_
