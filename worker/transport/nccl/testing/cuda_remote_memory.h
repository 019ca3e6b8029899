#ifndef BALANCEMOE_WORKER_TRANSPORT_NCCL_TESTING_CUDA_REMOTE_MEMORY_H_
#define BALANCEMOE_WORKER_TRANSPORT_NCCL_TESTING_CUDA_REMOTE_MEMORY_H_

#include <memory>

#include "worker/transport/testing/remote_worker.h"

namespace balancemoe::worker {

// Memory of GPU 0, written and read on a stream, without waiting in between:
// what is read is right only if the stream has waited for the transport. Ends
// the process when the GPU fails.
std::unique_ptr<RemoteMemory> CudaRemoteMemory();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_NCCL_TESTING_CUDA_REMOTE_MEMORY_H_
