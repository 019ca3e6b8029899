#ifndef BALANCEMOE_WORKER_MOE_STEP_TRANSFERS_H_
#define BALANCEMOE_WORKER_MOE_STEP_TRANSFERS_H_

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

// What happens to experts between two steps: moves that were planned, and the
// parameters of those that are lent by plans made ahead, which travel from here
// on while the step begins.
//
//   optimizer step --> EndStep() --> next forward
//
// For jobs whose agent has AgentOptions::ends_steps set and whose layers keep
// the optimizer's state (MoeLayerOptions::moments). Used from the training
// thread.
class StepTransfers {
 public:
  // `layers` are all MoE layers of the job; `agent` must outlive this.
  StepTransfers(Agent& agent, std::vector<MoeLayer> layers,
                MoveObserver observer = {})
      : agent_(agent),
        layers_(std::move(layers)),
        observer_(std::move(observer)) {}

  // Settles what the next step goes by, makes the moves that were planned, and
  // starts to send what will be lent: until the next forward, parameters must
  // not be changed. Afterwards those of moved experts are others (ExpertStore).
  // A collective.
  //
  // Errors: FailedPrecondition while a forward waits for its backward and
  // experts are to move; those of the transport, after which the job must go on
  // from a checkpoint.
  absl::StatusOr<MoveReport> EndStep();

  // Moves experts until they live where `placement` says, whose version counts
  // for nothing, and ends what EndStep began to send, so that parameters may be
  // changed. A collective, with the same errors.
  absl::StatusOr<MoveReport> RestorePlacement(const JobPlacement& placement);

  // Starts again, after RestorePlacement, to send what the next forward will
  // lend.
  //
  // Errors: those of the transport.
  absl::Status SendAhead();

  // Where the experts live; the version is 0.
  JobPlacement CurrentPlacement() const;

 private:
  // `moves` are by layer, in no order; layers without any may be left out.
  absl::StatusOr<MoveReport> Move(const std::vector<LayerMoves>& moves);

  Agent& agent_;
  std::vector<MoeLayer> layers_;
  const MoveObserver observer_;
  const SteadyClock clock_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_STEP_TRANSFERS_H_
