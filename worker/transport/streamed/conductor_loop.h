#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONDUCTOR_LOOP_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONDUCTOR_LOOP_H_

#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/transport/streamed/conductor_state.h"
#include "worker/transport/streamed/control_socket.h"

namespace balancemoe::worker {

// Serves a ConductorState to the workers of a group, from a thread of its own
// in the process of rank 0.
class ConductorLoop {
 public:
  // `sockets` lead to the workers, by rank.
  ConductorLoop(std::vector<ControlSocket> sockets,
                absl::Duration operation_timeout);
  // Ends without regard to the workers, which lose their connections.
  ~ConductorLoop();

  // Serves until nobody needs it: all have left, or have been told that the
  // group is aborted and let go; at most `timeout`.
  void EndWhenOver(absl::Duration timeout);

 private:
  void Run();
  // Waits for bytes, the next time-out, or the end.
  void Step();
  void ReadFrom(size_t rank);
  void Carry(const ConductorState::Answers& answers);
  // Whether no worker is connected any more.
  bool alone() const;

  const SteadyClock clock_;
  // To wake the loop's thread, which reads from the second.
  ControlSocket waker_;
  ControlSocket woken_;

  // Of the loop's thread alone, while it runs.
  ConductorState state_;
  std::vector<ControlSocket> sockets_;
  bool told_over_ = false;
  absl::Time deadline_ = absl::InfiniteFuture();
  bool ending_ = false;

  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONDUCTOR_LOOP_H_
