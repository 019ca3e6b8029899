#ifndef BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_HUB_H_
#define BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_HUB_H_

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

class LoopbackGroup;

// Where workers that are threads of one process meet: a group per generation.
//
//   LoopbackHub hub;
//   LocalRendezvous unused;
//   // In each thread, with its own rank:
//   auto transport = hub.Factory()(group_options, unused);
//
// Thread-safe. Must outlive its transports.
class LoopbackHub {
 public:
  // The rendezvous that the factory is given plays no part.
  TransportFactory Factory();

  // The group of `generation`, made when its first rank asks.
  //
  // Errors: FailedPrecondition when other ranks gave another world size.
  absl::StatusOr<std::shared_ptr<LoopbackGroup>> Group(int32_t world_size,
                                                       Generation generation)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Member {
    int32_t world_size = 0;
    // Lives as long as one of its transports or batches.
    std::weak_ptr<LoopbackGroup> group;
  };

  Mutex mutex_;
  std::map<Generation, Member> groups_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_LOOPBACK_LOOPBACK_HUB_H_
