#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_DEVICE_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_DEVICE_H_

#include <gloo/transport/device.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/transport/gloo/gloo_transport.h"

namespace balancemoe::worker {

// That calls into Gloo land in libgloo. libtorch_cpu exports a newer copy,
// which serves every call when it comes first in the link order, and crashes on
// objects that were laid out by libgloo's headers.
absl::Status CheckGlooLibrary();

// Gloo's socket and event loop of this process; the loop's thread runs under
// SCHED_BATCH and is named "bm-gloo-loop".
//
// Errors: InvalidArgument when the address or interface cannot be used.
absl::StatusOr<std::shared_ptr<gloo::transport::Device>> CreateGlooDevice(
    const GlooOptions& options);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_DEVICE_H_
