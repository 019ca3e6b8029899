#ifndef BALANCEMOE_COORDINATOR_JOB_H_
#define BALANCEMOE_COORDINATOR_JOB_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/ids.h"
#include "common/planning/policy.h"
#include "coordinator/cluster/job_membership.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/job_environment.h"
#include "coordinator/job_run.h"
#include "coordinator/rendezvous_calls.h"
#include "coordinator/session_stream.h"
#include "coordinator/strand.h"

namespace balancemoe::coordinator {

using SetPolicyReply =
    absl::AnyInvocable<void(absl::StatusOr<PolicySchedule::Change>)>;

// One job id and the run that uses it now.
//
// Everything happens on the job's strand: a call leaves its task there and the
// answer comes through the reply, possibly before the call returns. So jobs
// never wait for each other, and nothing in here is locked. Thread-safe.
class Job : public std::enable_shared_from_this<Job> {
 public:
  // `environment` must outlive the job.
  Job(JobId id, const JobEnvironment& environment);

  // Admits a worker; the first one begins a run. Errors: those of
  // JobMembership::Admit; InvalidArgument and FailedPrecondition for `policy`;
  // Unavailable while draining, or when the state directory cannot be written.
  void Register(Registration registration, std::string policy,
                RegisterReply reply);

  // Acts on what came through `stream`, then asks it for more. `message` must
  // stay until then; the stream owns it.
  void Handle(std::shared_ptr<SessionStream> stream,
              const v1::SessionRequest& message);

  // The stream is at its end. `reason` is a metric label.
  void EndSession(std::shared_ptr<SessionStream> stream,
                  absl::string_view reason);

  // Errors: those of JobRun::Rendezvous; Cancelled; Unavailable while draining.
  // `gone` says that the caller has been cancelled already.
  void Rendezvous(RendezvousRequest request, absl::AnyInvocable<bool()> gone,
                  RendezvousReply reply);
  void CancelRendezvous(WaiterId waiter);

  // Errors: NotFound while nobody is in the job.
  void SetPolicy(PolicyChoice choice, Iteration first_iteration,
                 SetPolicyReply reply);

  // Ends what is over by now.
  void Tick();

  // Tells the workers to go, and ends their sessions.
  void Drain(absl::Duration reconnect_after, std::string reason);

 private:
  enum class Phase { kNone, kForming, kRunning };

  // All of these run on the strand.
  absl::StatusOr<v1::RegisterResponse> Admit(const Registration& registration,
                                             const std::string& policy);
  absl::Status BeginRunIfNeeded(const Registration& registration,
                                const std::string& policy);
  // After everything that may have changed who is there.
  void Review();
  void End();
  void ShowPhase(Phase phase);

  // Constant after construction.
  const JobId id_;
  const JobEnvironment& environment_;

  // Self-synchronised.
  Strand strand_;

  // Only on the strand. The run uses the metrics.
  std::unique_ptr<JobMetrics> metrics_;
  std::unique_ptr<JobRun> run_;
  Phase phase_ = Phase::kNone;
  bool draining_ = false;
  bool ended_ = false;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_JOB_H_
