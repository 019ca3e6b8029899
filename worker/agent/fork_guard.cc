#include "worker/agent/fork_guard.h"

#include <pthread.h>

#include <atomic>

namespace balancemoe::worker {
namespace {

// How many forks lie between the first process and this one.
// Constant-initialised and never destroyed, so that it can be asked at any
// time.
constinit std::atomic<uint64_t> g_forks = 0;

void CountFork() { g_forks.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

ForkGuard::ForkGuard() {
  static const int registered =
      pthread_atfork(nullptr, nullptr, /*child=*/CountFork);
  static_cast<void>(registered);
  forks_before_ = g_forks.load(std::memory_order_relaxed);
}

bool ForkGuard::InForkedChild() const {
  return g_forks.load(std::memory_order_relaxed) != forks_before_;
}

}  // namespace balancemoe::worker
