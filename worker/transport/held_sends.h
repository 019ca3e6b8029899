#ifndef BALANCEMOE_WORKER_TRANSPORT_HELD_SENDS_H_
#define BALANCEMOE_WORKER_TRANSPORT_HELD_SENDS_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// A send that has its place before its bytes are there.
//
//   held --Release--> released --all before it have started--> started
//   not started --GiveUp--> given up
//
// Must not be destroyed before one or the other. Thread-safe.
class HeldSend {
 public:
  HeldSend() = default;
  HeldSend(const HeldSend&) = delete;
  HeldSend& operator=(const HeldSend&) = delete;
  // Waits, once it has started, until the buffer is no longer in use.
  ~HeldSend() = default;

  // Blocks until the buffer is no longer in use.
  //
  // Errors: those of TransferBatch::Wait, of StartTransfers, and what GiveUp
  // said.
  absl::Status Wait() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class HeldSends;

  void Started(std::shared_ptr<TransferBatch> batch, size_t index)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Failed(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  // With others that left with it.
  std::shared_ptr<TransferBatch> batch_ ABSL_GUARDED_BY(mutex_);
  size_t index_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Keeps the order of sends between two workers, which a receiver relies on,
// when the bytes of some come later than those of others: what a worker passes
// on takes its place when its receiver expects it, and leaves when it has come.
//
// All transfers of a transport that may stand behind a held one must be sent
// through the same HeldSends. Thread-safe.
class HeldSends {
 public:
  // `transport` must outlive all sends.
  explicit HeldSends(Transport& transport);

  // Takes the next place among the sends to `peer`.
  std::shared_ptr<HeldSend> Hold(WorkerRank peer, absl::Span<std::byte> bytes);

  // The bytes are there; once.
  void Release(WorkerRank peer, const HeldSend& send);

  // It will not be sent, if it has not started. The receiver is not told:
  // whoever gives up aborts the transport, or the order is lost.
  void GiveUp(WorkerRank peer, const HeldSend& send, const absl::Status& why);

 private:
  struct Place {
    std::shared_ptr<HeldSend> send;
    absl::Span<std::byte> bytes;
    bool released = false;
  };
  // The sends to one peer that have not started.
  struct Line {
    Mutex mutex;
    std::deque<Place> places ABSL_GUARDED_BY(mutex);
  };

  void StartReleased(WorkerRank peer, Line& line)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(line.mutex);

  Transport& transport_;
  // By rank.
  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_HELD_SENDS_H_
