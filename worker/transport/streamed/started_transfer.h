#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STARTED_TRANSFER_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STARTED_TRANSFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/transport/streamed/staging.h"
#include "worker/transport/streamed/stream_device.h"
#include "worker/transport/transfer_progress.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// How far the transfers of a batch are: waiting, issued, finished. Thread-safe.
class StreamedProgress {
 public:
  explicit StreamedProgress(size_t transfers)
      : finished_(transfers), issued_(transfers) {}

  const TransferProgress& finished() const { return finished_; }

  // The transfer is on its stream and ends before `event`.
  void Issued(size_t index, std::shared_ptr<StreamEvent> event)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Called once per transfer, when its buffer is no longer in use. Whether a
  // stream had been let go before (LetGo).
  bool Finish(size_t index, absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until the transfer is issued and says that a stream goes on without
  // knowing how it ends; null when it is finished.
  std::shared_ptr<StreamEvent> LetGo(size_t index) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status Wait(size_t index) { return finished_.Wait(index); }
  void WaitForAll() { finished_.WaitForAll(); }

 private:
  struct Transfer {
    std::shared_ptr<StreamEvent> event;
    bool let_go = false;
    bool finished = false;
  };

  TransferProgress finished_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Transfer> issued_ ABSL_GUARDED_BY(mutex_);
};

// Where the checksums of a batch are kept, a word per transfer each.
struct TransferChecksums {
  // On the device: of the own bytes, then of those at the other end.
  StagingBlock own;
  StagingBlock other;
  // Shared: 1 where both are equal.
  StagingBlock equal;
};

// A transfer from its start to its end.
struct StartedTransfer {
  Transfer::Direction direction = Transfer::Direction::kSend;
  WorkerRank peer = {};
  size_t bytes = 0;
  StagedBuffer buffer = {};
  // What the device does before it touches the buffer.
  std::shared_ptr<StreamEvent> after = {};
  // Shared by the batch's transfers: the last one gives it back.
  std::shared_ptr<TransferChecksums> checksums = {};
  // Shared with the batch: whichever ends last.
  std::shared_ptr<StreamedProgress> progress = {};
  size_t index = 0;

  bool sends() const { return direction == Transfer::Direction::kSend; }
  uint64_t* own_checksum() const { return Word(checksums->own); }
  uint64_t* other_checksum() const { return Word(checksums->other); }
  uint64_t* equal() const { return Word(checksums->equal); }

 private:
  uint64_t* Word(const StagingBlock& block) const {
    return reinterpret_cast<uint64_t*>(block.memory()) + index;
  }
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STARTED_TRANSFER_H_
