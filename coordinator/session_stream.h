#ifndef BALANCEMOE_COORDINATOR_SESSION_STREAM_H_
#define BALANCEMOE_COORDINATOR_SESSION_STREAM_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/session/outbound_queue.h"

namespace balancemoe::coordinator {

class Fanout;

// A worker's session as its job sees it. Thread-safe; nothing here blocks.
class SessionStream {
 public:
  virtual ~SessionStream() = default;

  // Sends `message`, or keeps it until the one before it is written.
  // A `fanout` that sends it to others as well is continued once the write is
  // done.
  virtual void Send(Outbound message,
                    std::shared_ptr<Fanout> fanout = nullptr) = 0;

  // Asks for the worker's next message. At most one is on its way at a time, so
  // that a flood waits in the worker's socket and not in our memory.
  virtual void ReadNext() = 0;

  // The same, but once the next message is written, and only for streams that
  // are certain to get one. HTTP/2's window update then travels with that
  // message instead of alone.
  virtual void ReadAfterWrite() = 0;

  // Writes what waits, then ends the stream with `status`. Later calls change
  // nothing.
  virtual void Close(absl::Status status) = 0;

  // Ends the stream at once, whatever waits.
  virtual void Cancel() = 0;

  // Since when the worker has not read what is being written; InfiniteFuture
  // when nothing is.
  virtual absl::Time stalled_since() const = 0;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SESSION_STREAM_H_
