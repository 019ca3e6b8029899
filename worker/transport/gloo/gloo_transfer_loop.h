#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSFER_LOOP_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSFER_LOOP_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "worker/transport/gloo/gloo_channel.h"
#include "worker/transport/transfer_progress.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Carries out the transfers in one direction with one peer, in the order in
// which they were started. A thread that waits for each, because Gloo cannot be
// asked whether a message has come without breaking the connection when it has
// not. Thread-safe.
class GlooTransferLoop {
 public:
  // `channel` must outlive the loop, which alone uses its `direction`.
  GlooTransferLoop(GlooChannel& channel, Transfer::Direction direction);
  // The group must be aborted, or no transfer pending.
  ~GlooTransferLoop();

  void Add(const Transfer& transfer, std::shared_ptr<TransferProgress> progress,
           size_t index) ABSL_LOCKS_EXCLUDED(mutex_);

  bool idle() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    Transfer transfer;
    // Shared with the batch: whichever ends last.
    std::shared_ptr<TransferProgress> progress;
    size_t index = 0;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CarryOut(const Transfer& transfer);

  GlooChannel& channel_;
  const Transfer::Direction direction_;

  mutable Mutex mutex_;
  CondVar changed_;
  // The first is under way.
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSFER_LOOP_H_
