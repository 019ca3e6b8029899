#ifndef BALANCEMOE_WORKER_BENCH_SIMULATED_WORKERS_H_
#define BALANCEMOE_WORKER_BENCH_SIMULATED_WORKERS_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace balancemoe::worker {

// The workers of one job as a coordinator sees them: each has a session and
// reports loads, none computes anything. Used from one thread.
class SimulatedWorkers {
 public:
  struct Options {
    std::string address;
    std::string job_id;
    int32_t workers = 64;
    int32_t experts = 64;
    // TCP connections that the sessions share.
    int32_t connections = 64;
    std::string policy;
  };

  explicit SimulatedWorkers(const Options& options);
  ~SimulatedWorkers();

  // Registers all and takes the fencing that they get. Errors: those of
  // Register.
  absl::Status Register();
  // Opens the sessions and waits until they are acknowledged, or, without
  // `acknowledged`, as soon as they are opened.
  //
  // Errors: Unavailable when a session breaks or nothing comes.
  absl::Status OpenSessions(bool acknowledged);
  // Sends a measured cost model for each, which is not answered.
  absl::Status SendCalibrations();

  // Every worker sends its report of `iteration`, and one answer comes to each.
  // Returns the time from the first message sent to the last answer received.
  // Errors: as OpenSessions.
  absl::StatusOr<absl::Duration> Round(int64_t iteration);

  // The last answer to each worker.
  std::vector<const v1::SessionResponse*> answers() const;

 private:
  class Session;

  // Sends each session's request and, with `answered`, waits for the answers.
  absl::StatusOr<absl::Duration> Exchange(bool answered);
  void Count(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const SteadyClock clock_;
  std::vector<std::unique_ptr<v1::CoordinatorService::Stub>> stubs_;
  std::vector<std::unique_ptr<Session>> sessions_;

  Mutex mutex_;
  CondVar changed_;
  // Reads and writes of this exchange that are over.
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SIMULATED_WORKERS_H_
