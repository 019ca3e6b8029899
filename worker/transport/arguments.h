#ifndef BALANCEMOE_WORKER_TRANSPORT_ARGUMENTS_H_
#define BALANCEMOE_WORKER_TRANSPORT_ARGUMENTS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// What every backend refuses with InvalidArgument before it sends a byte. Pure.

absl::Status CheckGroup(const GroupOptions& group);

absl::Status CheckAllGather(size_t mine_bytes, size_t all_bytes,
                            int32_t world_size);

absl::Status CheckAllToAllV(size_t send_bytes, size_t receive_bytes,
                            absl::Span<const size_t> send_bytes_by_rank,
                            absl::Span<const size_t> receive_bytes_by_rank,
                            WorkerRank self, int32_t world_size);

absl::Status CheckRoot(WorkerRank root, int32_t world_size);

absl::Status CheckTransfers(absl::Span<const Transfer> transfers,
                            WorkerRank self, int32_t world_size);

// A group is formed anew only under a higher generation, so that nothing of the
// old one is mistaken for the new.
absl::Status CheckNextGeneration(Generation present, Generation next);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_ARGUMENTS_H_
