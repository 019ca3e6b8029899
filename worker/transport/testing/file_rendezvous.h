#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_FILE_RENDEZVOUS_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_FILE_RENDEZVOUS_H_

#include <string>

#include "common/clock.h"
#include "worker/transport/rendezvous.h"

namespace balancemoe::worker {

// Rendezvous of processes that share a folder: a file per key. Thread-safe.
class FileRendezvous final : public Rendezvous {
 public:
  // `folder` exists.
  explicit FileRendezvous(std::string folder);

  absl::Status Put(Generation generation, absl::string_view key,
                   std::string value) override;
  absl::StatusOr<std::string> Get(Generation generation, absl::string_view key,
                                  absl::Duration timeout) override;

 private:
  std::string FileOf(Generation generation, absl::string_view key) const;

  const std::string folder_;
  const SteadyClock clock_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_FILE_RENDEZVOUS_H_
