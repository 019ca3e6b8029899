#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_HEART_LOOP_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_HEART_LOOP_H_

#include <gloo/transport/context.h>
#include <gloo/transport/unbound_buffer.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/mutex.h"

namespace balancemoe::worker {

// What one worker tells another about itself.
enum class GlooNews : uint32_t {
  kConnected,  // with all ranks
  kAborted,    // with the reason
  kLeaving,    // has no more need of the group
  kDead,       // never sent: its connection broke
};

// Listens to one peer on the control connection. A receive is always pending
// there, because a pending one fails the instant a peer dies, while one that is
// half done would wait for its time-out. Thread-safe.
class GlooHeartLoop {
 public:
  // Called on the loop's thread; after any news but kConnected the loop ends.
  using Listener = std::function<void(WorkerRank peer, GlooNews news,
                                      absl::string_view text)>;

  // `context` must outlive the loop.
  GlooHeartLoop(gloo::transport::Context& context, WorkerRank peer,
                Listener listener);
  ~GlooHeartLoop();

  void Start();
  // Returns when the listener is not called any more.
  void End();

  // Sends; a peer that is dead misses it. Text beyond 1,000 bytes is cut off.
  void Tell(GlooNews news, absl::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until what was told last has left, at most `timeout`.
  void Flush(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Note {
    GlooNews news = GlooNews::kConnected;
    uint32_t text_bytes = 0;
    std::array<char, 1000> text = {};
  };

  void Run();
  // Receives the next note; false when the peer is dead or the loop is ended.
  bool Listen();

  void FlushLocked(absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const WorkerRank peer_;
  const Listener listener_;

  Mutex mutex_;
  Note told_ ABSL_GUARDED_BY(mutex_);
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t notes_told_ ABSL_GUARDED_BY(mutex_) = 0;
  const std::unique_ptr<gloo::transport::UnboundBuffer> told_buffer_;

  // Of the loop's thread alone.
  Note heard_;
  uint32_t notes_heard_ = 0;
  const std::unique_ptr<gloo::transport::UnboundBuffer> heard_buffer_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_HEART_LOOP_H_
