#ifndef BALANCEMOE_WORKER_TRANSPORT_RENDEZVOUS_H_
#define BALANCEMOE_WORKER_TRANSPORT_RENDEZVOUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/ids.h"

namespace balancemoe::worker {

// How the workers of a job find each other: keys that one worker puts and
// others wait for. Keys of one generation are invisible to another.
// Thread-safe.
class Rendezvous {
 public:
  virtual ~Rendezvous() = default;

  // Errors: Aborted when `generation` is over; Unavailable when the other side
  // cannot be reached.
  virtual absl::Status Put(Generation generation, absl::string_view key,
                           std::string value) = 0;

  // Blocks until the key is there.
  //
  // Errors: as Put, and DeadlineExceeded, naming the key, after `timeout`.
  virtual absl::StatusOr<std::string> Get(Generation generation,
                                          absl::string_view key,
                                          absl::Duration timeout) = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_RENDEZVOUS_H_
