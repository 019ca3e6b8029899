#ifndef BALANCEMOE_WORKER_BENCH_SIMULATED_WORKERS_H_
#define BALANCEMOE_WORKER_BENCH_SIMULATED_WORKERS_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "worker/bench/service_job.h"

namespace balancemoe::worker {

// The workers of one job as a coordinator sees them: each has a session and
// reports loads, none computes anything. Used from one thread.
class SimulatedWorkers {
 public:
  // The sessions share `connections` TCP connections to `address`.
  SimulatedWorkers(const ServiceJob& job, const std::string& address,
                   int32_t connections);
  ~SimulatedWorkers();

  // Registers all and takes the fencing that they get. Errors: those of
  // Register.
  absl::Status Register();
  // Opens the sessions and waits for the answer to each hello. Errors:
  // Unavailable when a session breaks or nothing comes.
  absl::Status OpenSessions();
  // Sends a measured cost model for each, which is not answered. Errors: as
  // OpenSessions.
  absl::Status SendCalibrations();

  // Every worker sends its report, and one answer comes to each. Returns the
  // time from the first message sent to the last answer received. Errors: as
  // OpenSessions.
  absl::StatusOr<absl::Duration> Round(Iteration iteration, LayerId layer);

  // The bytes of the plans that the last round brought, by rank. They last
  // until the next round.
  //
  // Errors: Internal, with the coordinator's reason, when one is no plan.
  absl::StatusOr<std::vector<absl::string_view>> plans() const;

 private:
  class Session;
  enum class Operation { kRead, kWrite };

  // Sends each session's request and, with `answered`, waits for the answers.
  absl::StatusOr<absl::Duration> Exchange(bool answered);
  void FillReports(LayerId layer);
  void Count(Operation operation, bool ok) ABSL_LOCKS_EXCLUDED(mutex_);

  const ServiceJob job_;
  const std::string address_;
  const SteadyClock clock_;
  std::vector<std::unique_ptr<v1::CoordinatorService::Stub>> stubs_;
  // By rank.
  std::vector<std::unique_ptr<Session>> sessions_;
  // Of the loads that the requests hold.
  std::optional<LayerId> filled_layer_;

  Mutex mutex_;
  CondVar changed_;
  // Of this exchange, those that are over. A write may be so after the answer
  // to it has come.
  size_t reads_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_read_ ABSL_GUARDED_BY(mutex_);
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SIMULATED_WORKERS_H_
