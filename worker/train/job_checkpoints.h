#ifndef BALANCEMOE_WORKER_TRAIN_JOB_CHECKPOINTS_H_
#define BALANCEMOE_WORKER_TRAIN_JOB_CHECKPOINTS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint_directory.h"
#include "worker/train/train_options.h"
#include "worker/train/trainer.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Saves a job to --checkpoint-dir and goes on from there, as its options say;
// without a directory it does nothing. Tensors go by name, experts by theirs,
// so that a checkpoint loads wherever experts live, with any number of workers.
//
// Each worker writes the experts that live with it, worker 0 also what all have
// alike. Every worker makes the same calls, between steps, and gets the same
// result: what one cannot do fails for all. Used from the training thread.
class JobCheckpoints {
 public:
  // `transport` must outlive this.
  JobCheckpoints(const TrainOptions& options, Transport& transport,
                 CheckpointObserver observer = {});

  // Loads the checkpoint that counts, with --resume, before the trainer's first
  // step. Returns how many steps it has behind it: 0 where there is none.
  //
  // Errors: InvalidArgument, naming flag or file, when the checkpoint is
  // damaged, of another model, or has --steps behind it already; when there is
  // one and --resume was not given; and when workers see different ones.
  absl::StatusOr<int64_t> Begin(Trainer& trainer);

  // Saves, if it is time to, after `steps` steps in all.
  //
  // Errors: Unavailable, naming the worker and the file.
  absl::Status AfterStep(int64_t steps, const Trainer& trainer);

 private:
  absl::StatusOr<int64_t> FindStep(const CheckpointIndex* latest) const;
  absl::Status Load(const CheckpointIndex& index, Trainer& trainer) const;
  absl::Status CheckModel(const CheckpointIndex& index) const;
  absl::Status Save(int64_t step, const Trainer& trainer);
  absl::Status WriteFile(int64_t step, const Trainer& trainer) const;
  // The first worker's error, for all.
  absl::Status AgreeOn(const absl::Status& mine) const;
  bool first() const { return transport_.rank() == WorkerRank(0); }

  const TrainOptions options_;
  Transport& transport_;
  const CheckpointDirectory directory_;
  const CheckpointObserver observer_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_JOB_CHECKPOINTS_H_
