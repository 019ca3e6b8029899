#ifndef BALANCEMOE_WORKER_TRANSPORT_LOCAL_RENDEZVOUS_H_
#define BALANCEMOE_WORKER_TRANSPORT_LOCAL_RENDEZVOUS_H_

#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/transport/rendezvous.h"

namespace balancemoe::worker {

// Rendezvous of workers that are threads of one process. Thread-safe.
class LocalRendezvous final : public Rendezvous {
 public:
  absl::Status Put(Generation generation, absl::string_view key,
                   std::string value) override ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::string> Get(Generation generation, absl::string_view key,
                                  absl::Duration timeout) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<Generation, std::string>;

  const SteadyClock clock_{};

  Mutex mutex_;
  CondVar changed_;
  std::map<Key, std::string> values_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_LOCAL_RENDEZVOUS_H_
