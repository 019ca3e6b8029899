#ifndef BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_TRANSPORT_H_

#include <string>

#include "worker/transport/transport.h"

namespace balancemoe::worker {

struct NcclOptions {
  // Number of this worker's GPU among those that CUDA shows the process. No two
  // workers of a group may share one, unless they are processes with different
  // NCCL_HOSTID.
  int device = 0;
  // Address of this machine at which rank 0 waits for the others' control
  // connections. The default serves jobs whose workers are all on one machine.
  // NCCL finds interfaces of its own (NCCL_SOCKET_IFNAME).
  std::string control_address = "127.0.0.1";
  // Most thread blocks of the GPU that transfers take from computation.
  int transfer_ctas = 4;
};

// Workers that have a GPU each, connected by NCCL.
//
// One communicator for collectives and one for transfers, each on a stream of
// its own; both are non-blocking, and one thread issues, polls and aborts. Its
// order is the same on every rank: a conductor on rank 0 decides
// (streamed/conductor_state.h). Operations come in groups of at most 32. What
// streamed/streamed_transport.h says of memory, streams, checksums and errors
// holds here.
//
// A ComputeStream is a cudaStream_t of `device`. The default stream, which is
// null, counts as none; who wants to wait on it alone passes cudaStreamLegacy.
//
// Calls make `device` the calling thread's current one.
//
// When a peer dies or aborts, all ranks hear it on the control connection, and
// each aborts both of its communicators at once.
//
// Errors of the factory: FailedPrecondition, there is no such GPU;
// InvalidArgument; DeadlineExceeded, naming the workers that did not come;
// Unavailable, with NCCL's words.
TransportFactory NcclFactory(const NcclOptions& options = {});

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_NCCL_NCCL_TRANSPORT_H_
