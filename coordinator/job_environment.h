#ifndef BALANCEMOE_COORDINATOR_JOB_ENVIRONMENT_H_
#define BALANCEMOE_COORDINATOR_JOB_ENVIRONMENT_H_

#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/planning/policy.h"
#include "coordinator/admission.h"
#include "coordinator/cluster/job_membership.h"
#include "coordinator/cluster/rendezvous_keys.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/load_recorder.h"
#include "coordinator/session/iteration_gather.h"

namespace balancemoe::coordinator {

// What operators may set about jobs.
struct JobOptions {
  AdmissionLimits limits;
  RendezvousKeys::Limits rendezvous;
  IterationGather::Options gather;
  // Of jobs that wish for none; in a job that does not say when its steps end,
  // what WithinSteps makes of it.
  PolicyChoice default_policy = {"adaptive", "hybrid"};
  absl::Duration heartbeat_interval = absl::Seconds(1);
  // How long a worker may be silent.
  absl::Duration lease = absl::Seconds(10);
  // How long a write to a worker may take before its session is ended.
  absl::Duration write_timeout = absl::Seconds(5);
  // How long a job without any worker alive is remembered.
  absl::Duration job_linger = absl::Seconds(60);
};

using RegisterReply =
    absl::AnyInvocable<void(absl::StatusOr<v1::RegisterResponse>)>;

// What the coordinator gives to each job. All referents outlive the jobs, and
// all functions are thread-safe.
struct JobEnvironment {
  const JobOptions& options;
  const Clock& clock;
  CoordinatorMetrics& metrics;
  Incarnation coordinator;
  // Null: loads are not recorded.
  LoadRecorder* recorder;
  // Takes the next epoch of a job; its errors are those of JobEpochStore::Next.
  std::function<absl::StatusOr<JobEpoch>(const JobId&)> next_epoch;
  // Asks for a Job::Tick by then.
  std::function<void(absl::Time)> wake_by;
  // Registers with the job of that id, which may be a new one.
  std::function<void(Registration, std::string policy, RegisterReply)>
      register_anew;
  // The job is over; called on its strand.
  std::function<void(const JobId&)> job_ended;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_JOB_ENVIRONMENT_H_
