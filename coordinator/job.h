#ifndef BALANCEMOE_COORDINATOR_JOB_H_
#define BALANCEMOE_COORDINATOR_JOB_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/fencing.h"
#include "common/ids.h"
#include "common/planning/policy.h"
#include "coordinator/cluster/job_membership.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/job_environment.h"
#include "coordinator/plan_cycle.h"
#include "coordinator/rendezvous_calls.h"
#include "coordinator/session_stream.h"
#include "coordinator/strand.h"

namespace balancemoe::coordinator {

using RegisterReply =
    absl::AnyInvocable<void(absl::StatusOr<v1::RegisterResponse>)>;
using SetPolicyReply =
    absl::AnyInvocable<void(absl::StatusOr<PolicySchedule::Change>)>;

struct RendezvousRequest {
  enum class Kind { kPut, kGet, kBarrier };
  Kind kind = Kind::kGet;
  Fencing fencing;
  std::string name;
  // For kPut.
  std::string value;
  WaiterId waiter;
};

// One job: its members, their sessions, and the cycle that plans for them.
//
// Everything happens on the job's strand: a call leaves its task there and the
// answer comes through the reply, possibly before the call returns. So jobs
// never wait for each other, and nothing in here is locked. Thread-safe.
class Job : public std::enable_shared_from_this<Job> {
 public:
  // `environment` must outlive the job.
  Job(JobId id, const JobEnvironment& environment);
  ~Job();

  // Admits a worker. Errors: those of JobMembership::Admit; InvalidArgument and
  // FailedPrecondition for `policy`; Unavailable while draining, or when the
  // state directory cannot be written.
  void Register(Registration registration, std::string policy,
                RegisterReply reply);

  // Acts on what came through `stream`, then asks it for more. `message` must
  // stay until then; the stream owns it.
  void Handle(std::shared_ptr<SessionStream> stream,
              const v1::SessionRequest& message);

  // The stream is at its end. `reason` is a metric label.
  void EndSession(std::shared_ptr<SessionStream> stream,
                  absl::string_view reason);

  // Errors: Aborted for a stale fencing; those of RendezvousKeys; Cancelled.
  // `gone` says that the caller has been cancelled already.
  void Rendezvous(RendezvousRequest request, absl::AnyInvocable<bool()> gone,
                  RendezvousReply reply);
  void CancelRendezvous(WaiterId waiter);

  // Errors: NotFound while nobody is in the job.
  void SetPolicy(PolicyChoice choice, Iteration first_iteration,
                 SetPolicyReply reply);

  // Ends leases and gathers that are over, and writes that take too long.
  void Tick();

  // Tells the workers to go, and ends their sessions.
  void Drain(absl::Duration reconnect_after, std::string reason);

 private:
  // One run of the job; the next one starts from nothing.
  struct Run {
    Run(const JobEnvironment& environment, JobMetrics& metrics,
        const Registration& first, JobEpoch epoch, PolicyChoice policy);

    JobMembership membership;
    RendezvousCalls rendezvous;
    PlanCycle cycle;
    // By rank; null without a session.
    std::vector<std::shared_ptr<SessionStream>> sessions;
  };
  enum class Phase { kNone, kForming, kRunning };

  // All of these run on the strand.
  absl::StatusOr<v1::RegisterResponse> Admit(const Registration& registration,
                                             const std::string& policy);
  absl::Status BeginRunIfNeeded(const Registration& registration,
                                const std::string& policy);
  v1::RegisterResponse Welcome(const Admission& admission) const;
  void FenceAll(absl::string_view reason);
  std::optional<absl::Status> Refuse(const SessionStream& stream,
                                     const Fencing& fencing, bool hello);
  void Dispatch(const std::shared_ptr<SessionStream>& stream,
                const v1::SessionRequest& message);
  absl::Status Act(WorkerRank rank, const v1::SessionRequest& message);
  void OpenSession(WorkerRank rank, std::shared_ptr<SessionStream> stream);
  void LeaveSession(WorkerRank rank);
  // The rank whose session `stream` is; nullopt when it is nobody's any more.
  std::optional<WorkerRank> RankOf(const SessionStream& stream) const;
  void DropSession(WorkerRank rank, absl::string_view reason);
  void Push(const Outbound& message);
  void CallRendezvous(RendezvousRequest request, RendezvousReply reply);
  void EndLeases(absl::Time now);
  void EvictSlowReaders(absl::Time now);
  void EndIfOver(absl::Time now);
  void End();
  void ShowState();
  void ShowPhase(Phase phase);

  // Constant after construction.
  const JobId id_;
  const JobEnvironment& environment_;

  // Self-synchronised.
  Strand strand_;

  // Only on the strand.
  std::unique_ptr<JobMetrics> metrics_;
  std::unique_ptr<Run> run_;
  Phase phase_ = Phase::kNone;
  bool draining_ = false;
  bool ended_ = false;
  // Since when nobody is alive.
  std::optional<absl::Time> deserted_since_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_JOB_H_
