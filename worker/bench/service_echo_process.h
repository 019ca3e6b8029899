#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_ECHO_PROCESS_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_ECHO_PROCESS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/train/child_process.h"

namespace balancemoe::worker {

// The echo, see ServeEcho, in a process of its own: this program once more.
// Used from the main thread.
class EchoProcess {
 public:
  // Returns once it listens.
  //
  // Errors: Unavailable, saying how it ended or that it was not ready in time.
  static absl::StatusOr<std::unique_ptr<EchoProcess>> Start(size_t plan_bytes);

  // Ends the process.
  ~EchoProcess();

  // "host:port"
  const std::string& address() const { return address_; }
  const ChildProcess& process() const { return *process_; }

 private:
  EchoProcess() = default;

  absl::Status AwaitAddress(const std::string& file);

  std::string directory_;
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_ECHO_PROCESS_H_
