#include "worker/transport/nccl/nccl_transport.h"

#include "worker/transport/nccl/nccl_device.h"
#include "worker/transport/streamed/streamed_transport.h"

namespace balancemoe::worker {

TransportFactory NcclFactory(const NcclOptions& options) {
  return StreamedFactory(
      {.name = "nccl",
       .control_address = options.control_address,
       .open_device = [options] { return NcclDevice::Open(options); }});
}

}  // namespace balancemoe::worker
