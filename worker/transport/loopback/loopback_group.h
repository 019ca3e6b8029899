#ifndef BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_GROUP_H_
#define BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_GROUP_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// One half of a message between two ranks. Its buffer belongs to the caller,
// the rest is guarded by the group's mutex.
struct LoopbackTransfer {
  Transfer request;
  absl::Time started;
  bool done = false;
  absl::Status status;
  absl::Duration elapsed;
};

// The ranks of one generation, all in this process, and what they have under
// way.
//
//   ready --Abort, a rank is needed that has left--> aborted
//
// Thread-safe.
class LoopbackGroup {
 public:
  // What a rank brings to a collective; stays in place until Exchange returns.
  struct Offer {
    const char* collective = "";
    absl::Span<const std::byte> bytes;
    // Of the blocks in `bytes`, by rank; all-to-all only.
    absl::Span<const size_t> block_bytes;
  };

  LoopbackGroup(int32_t world_size, Generation generation);

  // Waits for all ranks.
  //
  // Errors: AlreadyExists, the rank is in; Unavailable, another rank gave up;
  // DeadlineExceeded, naming the ranks that did not come.
  absl::Status Join(WorkerRank rank, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A collective: waits for every rank's offer, then lets each rank `read` all
  // of them at once, and returns when all have read. A rank whose `read` fails
  // aborts the group.
  absl::Status Exchange(
      WorkerRank rank, const Offer& offer, absl::Duration timeout,
      absl::FunctionRef<absl::Status(absl::Span<const Offer>)> read)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whoever starts the second half of a message copies it. When it fails, no
  // buffer is in use any more.
  absl::Status Start(
      WorkerRank rank,
      absl::Span<const std::shared_ptr<LoopbackTransfer>> transfers)
      ABSL_LOCKS_EXCLUDED(mutex_);

  bool Done(const LoopbackTransfer& transfer) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Wait(const LoopbackTransfer& transfer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Elapsed(const LoopbackTransfer& transfer)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Abort(WorkerRank rank, const absl::Status& reason)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The rank will not come back. Ends its own transfers; the others go on until
  // they need it.
  void Leave(WorkerRank rank) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // From sender to receiver.
  using Link = std::pair<WorkerRank, WorkerRank>;

  struct Waiting {
    std::deque<std::shared_ptr<LoopbackTransfer>> sends;
    std::deque<std::shared_ptr<LoopbackTransfer>> receives;
  };

  // Puts the half in the queue, or takes out the other half that it meets.
  // Aborts when the peer has left and cannot bring one.
  std::shared_ptr<LoopbackTransfer> Meet(
      WorkerRank rank, const std::shared_ptr<LoopbackTransfer>& half)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Copy(LoopbackTransfer& one, LoopbackTransfer& other)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(LoopbackTransfer& half, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WaitForOffers(WorkerRank rank, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AbortLocked(const absl::Status& unavailable)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of those ranks that have not come / that have left.
  std::string Names(const std::vector<bool>& marked, bool wanted) const;

  const int32_t world_size_;
  const Generation generation_;
  const SteadyClock clock_;

  Mutex mutex_;
  CondVar changed_;
  absl::Status aborted_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> joined_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> left_ ABSL_GUARDED_BY(mutex_);
  std::map<Link, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);

  // The collective under way.
  int64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  int32_t readers_done_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<bool> offered_ ABSL_GUARDED_BY(mutex_);
  // Written under the mutex; read without it while all readers are at it, when
  // nobody writes.
  std::vector<Offer> offers_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_GROUP_H_
