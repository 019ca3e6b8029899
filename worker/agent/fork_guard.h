#ifndef BALANCEMOE_WORKER_AGENT_FORK_GUARD_H_
#define BALANCEMOE_WORKER_AGENT_FORK_GUARD_H_

#include <cstdint>

namespace balancemoe::worker {

// Tells whether this process is a fork()ed copy of the one that made the guard.
// Such a copy has the memory of threads, connections and locks, but not the
// threads: whoever touches them hangs. Data loaders fork like that.
//
// Thread-safe; asking costs one load.
class ForkGuard {
 public:
  ForkGuard();

  bool InForkedChild() const;

 private:
  uint64_t forks_before_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_FORK_GUARD_H_
