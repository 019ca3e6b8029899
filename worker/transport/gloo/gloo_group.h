#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_GROUP_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_GROUP_H_

#include <gloo/transport/unbound_buffer.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/transport/gloo/gloo_heart_loop.h"
#include "worker/transport/gloo/gloo_mesh.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The connections of one generation and whether they still serve.
//
//   ready --Abort, a peer dies, aborts, or has left and is needed-->
//     closing --no thread of Gloo touches a buffer any more--> closed
//   ready --destruction--> leaving: what peers do now is no concern any more
//
// A heart loop per peer notices a death at once. Whoever notices tells all
// peers, closes the connections that carry data and wakes every waiting thread,
// in this order. Thread-safe.
class GlooGroup {
 public:
  // `mesh` is connected.
  GlooGroup(const GroupOptions& options, GlooMesh mesh);

  // Tells the peers that this worker leaves, unless aborted. All GlooBuffers
  // are gone by then.
  ~GlooGroup();

  // Tells the peers that this rank is connected with all and expects their
  // messages, and returns once all have told the same: from then on a rank may
  // leave without disturbing one that is still connecting.
  //
  // Errors: DeadlineExceeded, naming the missing ranks; Unavailable, one is
  // gone.
  absl::Status Greet(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  const GroupOptions& options() const { return options_; }
  gloo::transport::Context& context(GlooPurpose purpose) {
    return *mesh_[static_cast<size_t>(purpose)];
  }

  // OK while ready. Blocks while closing, so that after an error no buffer is
  // in use any more.
  absl::Status status() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends everything under way with Unavailable and `reason`, here and on all
  // peers. The first reason stays. Returns when closed.
  void Abort(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_);

  // Gloo failed with `error` in an exchange with `peer`. Finds out the true
  // cause, which may be on its way on the control connection, and aborts.
  absl::Status Fail(WorkerRank peer, absl::string_view error)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class GlooBuffer;

  enum class State { kReady, kLeaving, kClosing, kClosed };

  void OnNews(WorkerRank peer, GlooNews news, absl::string_view text)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The connection to `peer` has ended.
  void OnGone(WorkerRank peer) ABSL_LOCKS_EXCLUDED(mutex_);
  void CloseDataConnections();

  void Register(gloo::transport::UnboundBuffer* buffer, WorkerRank peer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Unregister(gloo::transport::UnboundBuffer* buffer)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const GroupOptions options_;
  const SteadyClock clock_;
  GlooMesh mesh_;
  // By rank; null for this one.
  std::vector<std::unique_ptr<GlooHeartLoop>> hearts_;

  Mutex mutex_;
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kReady;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> greeted_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> gone_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> left_ ABSL_GUARDED_BY(mutex_);
  // Threads may be waiting on these, for these peers.
  std::map<gloo::transport::UnboundBuffer*, WorkerRank> buffers_
      ABSL_GUARDED_BY(mutex_);
};

// Memory that Gloo sends from or receives into; one operation at a time.
// Waiting ends when the group is aborted. Must outlive its pending operation,
// unless the group is closed.
class GlooBuffer {
 public:
  // `group` must outlive the buffer. Messages go to and come from `peer`.
  GlooBuffer(GlooGroup& group, GlooPurpose purpose, WorkerRank peer,
             void* memory, size_t bytes);
  ~GlooBuffer();
  GlooBuffer(const GlooBuffer&) = delete;
  GlooBuffer& operator=(const GlooBuffer&) = delete;

  // Starts to send the first `bytes` bytes. What fails here is told by
  // WaitSent, and so for receiving: a receive that nobody waits for may fail
  // unnoticed.
  void Send(uint64_t tag, size_t bytes);
  // Starts to receive up to `bytes` bytes. Gloo ends the process when the
  // message is longer, so both sides must have agreed on it.
  void Receive(uint64_t tag, size_t bytes);

  absl::Status WaitSent();
  absl::Status WaitReceived();

 private:
  absl::Status Wait(absl::FunctionRef<bool(std::chrono::milliseconds)> wait);

  GlooGroup& group_;
  const WorkerRank peer_;
  const std::unique_ptr<gloo::transport::UnboundBuffer> buffer_;
  // Why an operation could not even start.
  std::string error_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_GROUP_H_
