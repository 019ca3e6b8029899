#ifndef BALANCEMOE_WORKER_TRAIN_NCCL_WORKERS_H_
#define BALANCEMOE_WORKER_TRAIN_NCCL_WORKERS_H_

#include "absl/status/statusor.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_place.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// What --transport nccl means for the worker at `place`: its GPU is the one
// that OpenWorkerDevice would choose. Where workers share one, this process
// calls itself a machine of its own (NCCL_HOSTID), without which NCCL refuses.
// Before any other use of NCCL.
//
// Errors: FailedPrecondition: there is no GPU; InvalidArgument: this program
// was built without NCCL.
absl::StatusOr<TransportFactory> NcclWorkers(const TrainOptions& options,
                                             const WorkerPlace& place);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_NCCL_WORKERS_H_
