#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_TRANSFERS_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_TRANSFERS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/transport/streamed/staging.h"
#include "worker/transport/streamed/streamed_group.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Starts transfers in `group`. Both must outlive the batch's transfers, not the
// batch.
//
// Errors: Unavailable when aborted; ResourceExhausted, no memory for staging.
absl::StatusOr<std::unique_ptr<TransferBatch>> StartStreamedTransfers(
    StreamedGroup& group, StagingPool& staging,
    absl::Span<const Transfer> transfers);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_TRANSFERS_H_
