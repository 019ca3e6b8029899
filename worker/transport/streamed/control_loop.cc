#include "worker/transport/streamed/control_loop.h"

#include <pthread.h>

#include <utility>

namespace balancemoe::worker {

ControlLoop::ControlLoop(ControlSocket socket, absl::Duration silence,
                         Listener listener)
    : silence_(silence),
      listener_(std::move(listener)),
      socket_(std::move(socket)) {
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
  ended_ = true;
  socket_.Shutdown();
  thread_.join();
}

void ControlLoop::Run() {
  ControlMessage last = {.kind = ControlKind::kSilence};
  while (last.kind != ControlKind::kAbort) {
    auto message = socket_.Receive(silence_);
    if (ended_) return;
    if (message.ok()) {
      last = *std::move(message);
    } else {
      last = {.kind = absl::IsDeadlineExceeded(message.status())
                          ? ControlKind::kSilence
                          : ControlKind::kAbort};
    }
    listener_(last);
  }
  // The conductor sees it and need not wait for this worker any more.
  socket_.Shutdown();
}

}  // namespace balancemoe::worker
