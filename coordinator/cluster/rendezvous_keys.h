#ifndef BALANCEMOE_COORDINATOR_CLUSTER_RENDEZVOUS_KEYS_H_
#define BALANCEMOE_COORDINATOR_CLUSTER_RENDEZVOUS_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"
#include "common/strong_int.h"

namespace balancemoe::coordinator {

// A call that waits for a key or a barrier; numbered by the caller.
using WaiterId = StrongInt<struct WaiterIdTag, uint64_t>;

// The keys and barriers by which the workers of one generation of a job find
// each other. Keeps who waits; whoever owns the calls wakes them.
//
// Not thread-safe; belongs to the strand of its job.
class RendezvousKeys {
 public:
  struct Limits {
    // Keys and barriers together.
    size_t names = 65'536;
    size_t name_bytes = 512;
    size_t value_bytes = size_t{256} << 10;
    size_t total_bytes = size_t{64} << 20;
    size_t waiters = 65'536;
  };

  RendezvousKeys(const Limits& limits, int32_t world_size)
      : limits_(limits), world_size_(world_size) {}

  // Sets `key`, over an older value too. Returns who waited for it.
  //
  // Errors: InvalidArgument for a name that is empty or too long;
  // ResourceExhausted over a limit, naming it.
  absl::StatusOr<std::vector<WaiterId>> Put(absl::string_view key,
                                            std::string value);

  // The value, or nullopt and `waiter` waits for it. Errors: as Put.
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key,
                                                 WaiterId waiter);

  // `rank` arrives and `waiter` waits. Once all ranks have, returns everybody
  // who waits, and every later call returns its own waiter at once: calls may
  // be repeated. Errors: as Put.
  absl::StatusOr<std::vector<WaiterId>> Barrier(absl::string_view name,
                                                WorkerRank rank,
                                                WaiterId waiter);

  // `waiter` waits no more.
  void Forget(WaiterId waiter);

  // Forgets everything; returns who waited.
  std::vector<WaiterId> Clear();

 private:
  struct Key {
    std::optional<std::string> value;
    std::set<WaiterId> waiters;
  };
  struct Gate {
    std::set<WorkerRank> arrived;
    std::set<WaiterId> waiters;
  };

  absl::Status CheckName(absl::string_view name, bool is_new) const;
  absl::Status CheckWaiters() const;

  const Limits limits_;
  const int32_t world_size_;

  std::map<std::string, Key> keys_;
  std::map<std::string, Gate> gates_;
  // Where each waiter waits.
  std::map<WaiterId, std::string> key_by_waiter_;
  std::map<WaiterId, std::string> gate_by_waiter_;
  size_t value_bytes_ = 0;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CLUSTER_RENDEZVOUS_KEYS_H_
