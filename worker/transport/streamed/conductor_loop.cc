#include "worker/transport/streamed/conductor_loop.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace balancemoe::worker {

ConductorLoop::ConductorLoop(std::vector<ControlSocket> sockets,
                             absl::Duration operation_timeout)
    : state_(static_cast<int32_t>(sockets.size()), operation_timeout),
      sockets_(std::move(sockets)) {
  auto pair = ControlSocket::Pair();
  BMOE_CHECK(pair.ok());
  waker_ = std::move(pair->first);
  woken_ = std::move(pair->second);
  thread_ = std::thread(&ConductorLoop::Run, this);
  pthread_setname_np(thread_.native_handle(), "bm-conductor");
}

ConductorLoop::~ConductorLoop() { EndWhenOver(absl::ZeroDuration()); }

void ConductorLoop::EndWhenOver(absl::Duration timeout) {
  if (!thread_.joinable()) return;
  // Read by the loop as its deadline, in milliseconds.
  waker_
      .Send({ControlKind::kLeave,
             {static_cast<uint64_t>(absl::ToInt64Milliseconds(timeout))},
             ""})
      .IgnoreError();
  thread_.join();
}

bool ConductorLoop::alone() const {
  return std::none_of(
      sockets_.begin(), sockets_.end(),
      [](const ControlSocket& socket) { return socket.open(); });
}

void ConductorLoop::Run() {
  while (!ending_ || (!alone() && clock_.Now() < deadline_)) Step();
  sockets_.clear();
}

void ConductorLoop::Step() {
  std::vector<pollfd> waiting = {{.fd = ending_ ? -1 : woken_.descriptor(),
                                  .events = POLLIN,
                                  .revents = 0}};
  for (const ControlSocket& socket : sockets_) {
    waiting.push_back(
        {.fd = socket.descriptor(), .events = POLLIN, .revents = 0});
  }
  const absl::Duration left =
      std::min(state_.NextTick(), deadline_) - clock_.Now();
  const int ms = static_cast<int>(absl::ToInt64Milliseconds(
      std::clamp(absl::Ceil(left, absl::Milliseconds(1)), absl::ZeroDuration(),
                 absl::Hours(1))));
  poll(waiting.data(), waiting.size(), ms);
  if (waiting[0].revents != 0) {
    const auto end = woken_.Receive();
    ending_ = true;
    if (end.ok()) {
      deadline_ = clock_.Now() + absl::Milliseconds(end->numbers[0]);
    }
  }
  for (size_t rank = 0; rank < sockets_.size(); ++rank) {
    if (waiting[rank + 1].revents != 0) ReadFrom(rank);
  }
  Carry(state_.Tick(clock_.Now()));
}

void ConductorLoop::ReadFrom(size_t rank) {
  const WorkerRank worker(static_cast<int32_t>(rank));
  auto message = sockets_[rank].ReceiveSome();
  while (message.ok() && message->has_value()) {
    Carry(state_.Hear(worker, **message, clock_.Now()));
    message = sockets_[rank].NextRead();
  }
  if (message.ok()) return;
  sockets_[rank].Close();
  Carry(state_.Lose(worker));
}

void ConductorLoop::Carry(const ConductorState::Answers& answers) {
  for (const auto& [to, message] : answers) {
    ControlSocket& socket = sockets_[to.index()];
    // One that cannot be reached is lost, which its own poll tells.
    if (socket.open() && !socket.Send(message).ok()) socket.Shutdown();
  }
  if (!state_.over() || told_over_) return;
  told_over_ = true;
  // Workers then let go; what is on its way to them still arrives, which a
  // full close could prevent.
  for (ControlSocket& socket : sockets_) {
    if (socket.open()) socket.EndSending();
  }
}

}  // namespace balancemoe::worker
