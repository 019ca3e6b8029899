#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_LOOP_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_LOOP_H_

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "worker/transport/streamed/control_socket.h"

namespace balancemoe::worker {

// A worker's connection to the conductor. Thread-safe.
class ControlLoop {
 public:
  // Called on the loop's thread for every message, in order; with kSilence when
  // none has come for the given time; when the connection breaks, a last time,
  // with kAbort and no text.
  using Listener = std::function<void(const ControlMessage& message)>;

  ControlLoop(ControlSocket socket, absl::Duration silence, Listener listener);
  ~ControlLoop();

  // Sends; a conductor that is gone misses it, which the listener hears.
  void Tell(const ControlMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when the listener is not called any more.
  void End();

 private:
  void Run();

  const absl::Duration silence_;
  const Listener listener_;
  ControlSocket socket_;

  // Held while sending, so that messages do not mix.
  Mutex mutex_;

  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_LOOP_H_
