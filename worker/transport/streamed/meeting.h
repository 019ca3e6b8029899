#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_MEETING_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_MEETING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/transport/rendezvous.h"
#include "worker/transport/streamed/control_socket.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// A worker's connection to the conductor, and, on rank 0, the conductor's to
// all workers, by rank.
struct Meeting {
  ControlSocket to_conductor;
  std::vector<ControlSocket> to_workers;
};

// Brings all workers of a group together: rank 0 listens at a free port of
// `address` and the others connect to it. Rank 0 has sent `group_id`, which the
// others leave empty, to everybody. One key per rank in the rendezvous.
//
// Errors: DeadlineExceeded after group.connect_timeout, naming the missing
// ranks; InvalidArgument, `address` is none of this machine; Unavailable when
// rank 0 dies meanwhile; those of the rendezvous.
absl::StatusOr<Meeting> Meet(const GroupOptions& group, Generation generation,
                             const std::string& address,
                             absl::string_view group_id,
                             Rendezvous& rendezvous);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_MEETING_H_
