#ifndef BALANCEMOE_WORKER_TRAIN_EMBEDDED_COORDINATOR_H_
#define BALANCEMOE_WORKER_TRAIN_EMBEDDED_COORDINATOR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/train/child_process.h"

namespace balancemoe::worker {

// A balancemoe-coordinator of one's own: the program that lies beside this one,
// as a child process on free loopback ports, with a state directory that goes
// with it. Used from the main thread.
class EmbeddedCoordinator {
 public:
  struct Options {
    absl::Duration report_deadline = absl::Milliseconds(50);
    // How long it may take until it is ready.
    absl::Duration start_timeout = absl::Seconds(10);
  };

  // Returns once the coordinator is ready.
  //
  // Errors: Unavailable, saying how it ended or that it was not ready in time.
  static absl::StatusOr<std::unique_ptr<EmbeddedCoordinator>> Start(
      const Options& options);

  // Ends the process and removes its directory.
  ~EmbeddedCoordinator();

  // "host:port"
  const std::string& grpc_address() const { return grpc_address_; }
  const std::string& http_address() const { return http_address_; }
  ChildProcess& process() { return *process_; }

 private:
  EmbeddedCoordinator() = default;

  absl::Status AwaitReady(const Options& options);

  std::string directory_;
  std::unique_ptr<ChildProcess> process_;
  std::string grpc_address_;
  std::string http_address_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_EMBEDDED_COORDINATOR_H_
