#ifndef BALANCEMOE_WORKER_TRAIN_TRAINER_H_
#define BALANCEMOE_WORKER_TRAIN_TRAINER_H_

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/planning/job_placement.h"
#include "worker/agent/agent.h"
#include "worker/moe/step_transfers.h"
#include "worker/train/adam.h"
#include "worker/train/gradient_bucket.h"
#include "worker/train/moe_gpt.h"
#include "worker/train/sha256.h"
#include "worker/train/step_record.h"
#include "worker/train/train_inputs.h"
#include "worker/train/train_options.h"

namespace balancemoe::worker {

// One worker's model, optimizer and data, and the training step. Experts are
// parallel, all else is replicated. Every worker of a run makes the same calls
// in the same order, each from one thread of its own; all but the constructor
// and CopyState are collectives.
class Trainer {
 public:
  // What a worker holds, copied, and where all experts lived.
  struct State {
    JobPlacement placement;
    std::vector<AdamParameter> parameters;
  };
  struct Digests {
    Sha256Digest parameters;
    Sha256Digest optimizer;
  };

  // `agent` must outlive the trainer. Options must be valid, `inputs` what they
  // name, and `device` that of this worker, opened. `observer` hears of the
  // moves at the end of steps.
  Trainer(const TrainOptions& options, TrainInputs inputs, Agent& agent,
          MoveObserver observer = {},
          const torch::Device& device = torch::kCPU);

  // Trains on batch number `batch` of the text, as iteration `iteration` of the
  // job, which rises from call to call. Returns what all workers measured.
  //
  // Errors: Unavailable when a peer is gone, with the layer's own words.
  absl::StatusOr<StepRecord> Step(int64_t iteration, int64_t batch);

  // Routes by quota from the next step on; `imbalance` must be valid.
  void RouteByQuota(double imbalance);
  // Back to what the options say.
  void RouteAsAsked();

  // Digests over all workers, by expert id.
  //
  // Errors: those of GatherStateDigest.
  absl::StatusOr<Digests> StateDigests();

  State CopyState() const;
  // Moves experts back where that is needed.
  //
  // Errors: those of StepTransfers::RestorePlacement.
  absl::Status Restore(const State& state);

  // Moves experts until they live where `placement` says.
  //
  // Errors: those of StepTransfers::RestorePlacement.
  absl::Status MoveTo(const JobPlacement& placement);
  JobPlacement placement() const { return between_steps_.CurrentPlacement(); }

  // What all workers have alike, then the experts that live here. Changes with
  // every step that moves experts.
  const std::vector<AdamParameter>& parameters() const { return parameters_; }
  size_t num_replicated() const { return replicated_.size(); }

  const std::vector<MoeLayer>& moe_layers() const {
    return model_->moe_layers();
  }

 private:
  // Inputs and targets of this worker, [B, S + 1].
  torch::Tensor Batch(int64_t batch) const;
  // Returns this worker's share of the loss.
  float ForwardBackward(const torch::Tensor& bytes);
  void RouteByRecord(int64_t row);
  void ZeroGradients();
  // Lets experts move and be sent as planned, and counts it.
  absl::Status EndStep(WorkerFigures& figures);
  // Asks the layers for the experts that live here now.
  void GatherParameters();
  WorkerFigures MeasuredSince(const AgentCounters& before,
                              absl::Duration cpu_before) const;
  absl::Status GatherFigures(const WorkerFigures& mine, StepRecord& record);

  // Constant after construction.
  const TrainOptions options_;
  const TrainInputs inputs_;
  Agent& agent_;
  const torch::Device device_;
  const SteadyClock clock_;

  MoeGpt model_;
  std::vector<AdamParameter> replicated_;
  GradientBucket bucket_;
  StepTransfers between_steps_;
  // By the counts of --route-from, other ones in each step.
  bool routes_by_record_ = false;
  // The replicated ones, then those of the experts that live here.
  std::vector<AdamParameter> parameters_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TRAINER_H_
