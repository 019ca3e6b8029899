#ifndef BALANCEMOE_WORKER_TRANSPORT_TRANSFER_PROGRESS_H_
#define BALANCEMOE_WORKER_TRANSPORT_TRANSFER_PROGRESS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// How far the transfers of one batch are, told by the threads that carry them
// out. Thread-safe.
class TransferProgress {
 public:
  // All transfers start now.
  explicit TransferProgress(size_t transfers);

  // Called once per transfer, when its buffer is no longer in use.
  void Finish(size_t index, absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  bool Done(size_t index) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until the transfer is finished and returns how it went.
  absl::Status Wait(size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  void WaitForAll() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Elapsed(size_t index) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Transfer {
    bool done = false;
    absl::Status status;
    absl::Duration elapsed;
  };

  const SteadyClock clock_;
  const absl::Time started_;

  mutable Mutex mutex_;
  CondVar finished_;
  std::vector<Transfer> transfers_ ABSL_GUARDED_BY(mutex_);
};

// A batch that others carry out.
class ProgressBatch final : public TransferBatch {
 public:
  explicit ProgressBatch(std::shared_ptr<TransferProgress> progress);
  ~ProgressBatch() override;

  bool Done(size_t index) const override;
  absl::Status Wait(size_t index, ComputeStream stream) override;
  absl::Duration Elapsed(size_t index) const override;

 private:
  // Shared with the threads that carry the transfers out: whoever ends last.
  const std::shared_ptr<TransferProgress> progress_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TRANSFER_PROGRESS_H_
