#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/transport/streamed/stream_device.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// What makes a transport of a device with streams.
struct StreamedBackend {
  // "nccl"
  std::string name;
  // Address of this machine at which rank 0 waits for the others' control
  // connections.
  std::string control_address = "127.0.0.1";
  std::function<absl::StatusOr<std::unique_ptr<StreamDevice>>()> open_device;
};

// Workers that communicate on the streams of their devices, in an order on
// which a conductor on rank 0 decides (conductor_state.h).
//
// Memory of the device is used as it is. Memory of the host is staged: copied
// in when the call is made and copied out when the work has ended, so such a
// call blocks even with a stream. Staging blocks are kept and used again.
//
// A collective starts after what had been put on its stream when it was called;
// a transfer, and a collective without a stream, after what had been put on the
// device's default stream. With a stream, a collective returns when all ranks
// have called it, and TransferBatch::Wait when both ends have started.
//
// Lengths and kinds are agreed on before anything is issued. Transfers carry a
// checksum that the devices compute and compare; when a stream had been let go
// (Wait with a stream) before bytes turn out to differ, the group is aborted.
// The bytes of collectives are not checked: links and library do that, and an
// error there cannot outlive an iteration as one in an expert's parameters
// could.
//
// Errors of the factory: InvalidArgument; DeadlineExceeded, naming the missing
// ranks; Unavailable; those of `open_device`.
TransportFactory StreamedFactory(StreamedBackend backend);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_TRANSPORT_H_
