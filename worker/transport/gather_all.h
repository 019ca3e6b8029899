#ifndef BALANCEMOE_WORKER_TRANSPORT_GATHER_ALL_H_
#define BALANCEMOE_WORKER_TRANSPORT_GATHER_ALL_H_

#include <cstddef>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Every worker's `mine`, one after the other; all have equally many. A
// collective.
//
// Errors: those of Transport::AllGather.
template <typename T>
absl::StatusOr<std::vector<T>> GatherAll(absl::Span<const T> mine,
                                         Transport& transport) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> all(mine.size() * static_cast<size_t>(transport.world_size()));
  BMOE_RETURN_IF_ERROR(transport.AllGather(
      {reinterpret_cast<const std::byte*>(mine.data()),
       mine.size() * sizeof(T)},
      absl::MakeSpan(reinterpret_cast<std::byte*>(all.data()),
                     all.size() * sizeof(T)),
      ComputeStream()));
  return all;
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GATHER_ALL_H_
