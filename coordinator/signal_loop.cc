#include "coordinator/signal_loop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace balancemoe::coordinator {
namespace {

// SIGUSR1 from ourselves ends the wait.
sigset_t AwaitedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGUSR1);
  return signals;
}

}  // namespace

SignalLoop::SignalLoop() {
  const sigset_t signals = AwaitedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A worker that goes away in the middle of a write is no reason to end.
  signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { Run(); });
}

SignalLoop::~SignalLoop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void SignalLoop::Run() {
  pthread_setname_np(pthread_self(), "signals");
  const sigset_t signals = AwaitedSignals();
  while (true) {
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    MutexLock lock(&mutex_);
    if (stopping_) return;
    if (signal_number == SIGUSR1) continue;
    if (++signals_ > 1) _exit(0);
    came_.NotifyAll();
  }
}

void SignalLoop::WaitForFirst() {
  MutexLock lock(&mutex_);
  while (signals_ == 0) came_.Wait(&mutex_);
}

}  // namespace balancemoe::coordinator
