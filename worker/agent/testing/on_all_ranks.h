#ifndef BALANCEMOE_WORKER_AGENT_TESTING_ON_ALL_RANKS_H_
#define BALANCEMOE_WORKER_AGENT_TESTING_ON_ALL_RANKS_H_

#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace balancemoe::worker {

// Calls `body(rank)` at once for ranks 0 .. world_size - 1, each in a thread of
// its own as a stand-in for a process; the results in rank order.
template <typename Body>
auto OnAllRanks(int32_t world_size, const Body& body) {
  using Result = std::invoke_result_t<Body, int32_t>;
  std::vector<Result> results(static_cast<size_t>(world_size));
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < world_size; ++rank) {
    threads.emplace_back(
        [&, rank] { results[static_cast<size_t>(rank)] = body(rank); });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_TESTING_ON_ALL_RANKS_H_
