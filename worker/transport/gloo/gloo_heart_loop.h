#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_HEART_LOOP_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_HEART_LOOP_H_

#include <gloo/transport/context.h>
#include <gloo/transport/unbound_buffer.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
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
  kGone,       // never sent: its connection has ended
};

// Listens to one peer on the control connection. A receive is always pending
// there, because a pending one fails the instant a peer dies, while one that is
// half done would wait for its time-out. Thread-safe.
class GlooHeartLoop {
 public:
  // Called on the loop's thread. kGone is the last; a peer that is well says
  // that it aborted or leaves before.
  using Listener = std::function<void(WorkerRank peer, GlooNews news,
                                      absl::string_view text)>;

  // `context` must outlive the loop.
  GlooHeartLoop(gloo::transport::Context& context, WorkerRank peer,
                Listener listener);
  ~GlooHeartLoop();

  void Start();
  // Returns when the listener is not called any more.
  void End();

  // Sends without waiting; a peer that is dead misses it. Text beyond 1,000
  // bytes is cut off.
  void Tell(GlooNews news, absl::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until all that was told has left, at most `timeout`. When that was
  // too short, the whole context is of no use any more. One thread at a time.
  void Flush(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Note {
    GlooNews news = GlooNews::kConnected;
    uint32_t text_bytes = 0;
    std::array<char, 1000> text = {};
  };

  // On its way, and the memory that Gloo sends it from.
  struct ToldNote {
    Note note;
    std::unique_ptr<gloo::transport::UnboundBuffer> buffer;
  };

  void Run();
  // Receives the next note; false when the peer is dead or the loop is ended.
  bool Listen();
  // Ends a Flush(), which Gloo does not: of a broken connection it tells those
  // that wait for what was read, or not yet asked for, but not for a write.
  void GiveUpTelling() ABSL_LOCKS_EXCLUDED(mutex_);
  // What has not been waited for yet, in order; null when nothing is left.
  gloo::transport::UnboundBuffer* NextToFlush() ABSL_LOCKS_EXCLUDED(mutex_);

  gloo::transport::Context& context_;
  const WorkerRank peer_;
  const Listener listener_;

  Mutex mutex_;
  // All of them: there are few, and a busy peer may take the first only when
  // the last has been told. A deque, because Gloo holds on to the addresses.
  std::deque<ToldNote> told_ ABSL_GUARDED_BY(mutex_);
  size_t flushed_ ABSL_GUARDED_BY(mutex_) = 0;

  // Of the loop's thread alone.
  Note heard_;
  uint32_t notes_heard_ = 0;
  const std::unique_ptr<gloo::transport::UnboundBuffer> heard_buffer_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_HEART_LOOP_H_
