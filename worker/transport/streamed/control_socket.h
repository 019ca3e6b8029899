#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_SOCKET_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_SOCKET_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "worker/transport/streamed/control_message.h"

namespace balancemoe::worker {

// A connection between a worker and the conductor. Closed by the destructor.
// One thread may send while another receives.
class ControlSocket {
 public:
  ControlSocket() = default;
  // Takes over `descriptor`.
  explicit ControlSocket(int descriptor) : descriptor_(descriptor) {}
  ~ControlSocket() { Close(); }
  ControlSocket(ControlSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        reader_(std::move(other.reader_)) {}
  ControlSocket& operator=(ControlSocket&& other) noexcept;

  // Both ends of a connection within this process.
  static absl::StatusOr<std::pair<ControlSocket, ControlSocket>> Pair();

  // Connects to "HOST:PORT".
  //
  // Errors: Unavailable, with the system's words.
  static absl::StatusOr<ControlSocket> Connect(const std::string& address);

  // Sends a whole message; blocks while the other side does not read, for at
  // most a second.
  //
  // Errors: Unavailable.
  absl::Status Send(const ControlMessage& message);

  // Blocks until a whole message has come.
  //
  // Errors: Unavailable when the other side is gone or Shutdown was called;
  // DeadlineExceeded after `timeout`.
  absl::StatusOr<ControlMessage> Receive(
      absl::Duration timeout = absl::InfiniteDuration());

  // Reads what has come, once, and returns the next whole message. Does not
  // block after poll() said that there is something to read.
  absl::StatusOr<std::optional<ControlMessage>> ReceiveSome();
  // The next message among those already read.
  absl::StatusOr<std::optional<ControlMessage>> NextRead() {
    return reader_.Next();
  }

  // Says that nothing more will be sent; the other side may still send.
  void EndSending();
  // Ends Send and Receive of other threads.
  void Shutdown();
  void Close();

  bool open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  ControlMessageReader reader_;
};

// Where a conductor accepts its workers' connections.
class ControlListener {
 public:
  // Listens at a free port of `host`, a name or an address of this machine.
  //
  // Errors: InvalidArgument, this machine has no such address.
  static absl::StatusOr<ControlListener> Listen(const std::string& host);

  // Blocks until somebody connects.
  //
  // Errors: DeadlineExceeded after `timeout`; Unavailable.
  absl::StatusOr<ControlSocket> Accept(absl::Duration timeout);

  // "HOST:PORT"
  const std::string& address() const { return address_; }

 private:
  ControlSocket socket_;
  std::string address_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONTROL_SOCKET_H_
