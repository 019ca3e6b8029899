#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_MESH_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_MESH_H_

#include <gloo/transport/context.h>
#include <gloo/transport/device.h>

#include <array>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/transport/rendezvous.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// What a connection is for. Each purpose has connections of its own, because a
// time-out closes all connections of a context, and because equal tags in two
// threads would mix up messages silently.
enum class GlooPurpose { kControl, kCollectives, kTransfers };
inline constexpr int kGlooPurposes = 3;

// One connected context per purpose. In Gloo a context is a connection to every
// other rank.
using GlooMesh =
    std::array<std::shared_ptr<gloo::transport::Context>, kGlooPurposes>;

// Connects all ranks with all others; one key per rank in the rendezvous.
//
// Errors: DeadlineExceeded after group.connect_timeout, naming the missing
// ranks; Unavailable when a rank dies meanwhile; those of the rendezvous.
absl::StatusOr<GlooMesh> ConnectGlooMesh(
    const GroupOptions& group, Generation generation,
    const std::shared_ptr<gloo::transport::Device>& device,
    Rendezvous& rendezvous);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_MESH_H_
