#include "worker/transport/streamed/control_loop.h"

#include <pthread.h>

#include <utility>

namespace balancemoe::worker {

ControlLoop::ControlLoop(ControlSocket socket, Listener listener)
    : listener_(std::move(listener)), socket_(std::move(socket)) {
  thread_ = std::thread(&ControlLoop::Run, this);
  pthread_setname_np(thread_.native_handle(), "bm-control");
}

ControlLoop::~ControlLoop() { End(); }

void ControlLoop::Tell(const ControlMessage& message) {
  MutexLock lock(&mutex_);
  socket_.Send(message).IgnoreError();
}

void ControlLoop::End() {
  if (!thread_.joinable()) return;
  socket_.Shutdown();
  thread_.join();
}

void ControlLoop::Run() {
  while (true) {
    const auto message = socket_.Receive();
    if (!message.ok()) break;
    listener_(*message);
    if (message->kind != ControlKind::kAbort) continue;
    // The conductor sees it and need not wait for this worker any more.
    socket_.Shutdown();
    return;
  }
  listener_({.kind = ControlKind::kAbort});
}

}  // namespace balancemoe::worker
