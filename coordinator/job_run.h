#ifndef BALANCEMOE_COORDINATOR_JOB_RUN_H_
#define BALANCEMOE_COORDINATOR_JOB_RUN_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

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

namespace balancemoe::coordinator {

struct RendezvousRequest {
  enum class Kind { kPut, kGet, kBarrier };
  Kind kind = Kind::kGet;
  Fencing fencing;
  std::string name;
  // For kPut.
  std::string value;
  WaiterId waiter;
};

// One run of a job, from its first registration until nobody is left: its
// members, their sessions and calls, and the cycle that plans for them.
//
// Not thread-safe; belongs to the strand of its job.
class JobRun {
 public:
  // `environment` and `metrics` must outlive the run.
  JobRun(const JobEnvironment& environment, JobMetrics& metrics,
         const Registration& first, JobEpoch epoch, PolicyChoice policy);

  // Whether this run is dead and `registration` belongs to another.
  bool MakesWayFor(const Registration& registration) const;

  // Errors: those of JobMembership::Admit.
  absl::StatusOr<v1::RegisterResponse> Admit(const Registration& registration);

  // Acts on a message, then asks the stream for more or ends it.
  void Handle(const std::shared_ptr<SessionStream>& stream,
              const v1::SessionRequest& message);

  // The stream is at its end. `reason` is a metric label.
  void EndSession(const SessionStream& stream, absl::string_view reason);

  // Errors: Aborted for a stale fencing; those of RendezvousKeys.
  void Rendezvous(RendezvousRequest request, RendezvousReply reply);
  void CancelRendezvous(WaiterId waiter) { rendezvous_.Cancel(waiter); }

  PolicySchedule::Change SetPolicy(const PolicyChoice& choice,
                                   Iteration first_iteration);

  // Ends leases and gathers that are over, and writes that take too long.
  void Tick();

  // Sends `farewell`, if any, and ends every session and call with `status`.
  void End(const absl::Status& status, const std::optional<Outbound>& farewell,
           absl::string_view reason);

  // Whether every worker has a session.
  bool IsComplete() const;
  // Whether nobody is alive and nobody is expected back.
  bool IsOver();

 private:
  enum class NextRead { kNow, kAfterWrite };

  v1::RegisterResponse Welcome(const Admission& admission) const;
  void FenceAll(const std::string& reason);
  std::optional<absl::Status> Refuse(const SessionStream& stream,
                                     const Fencing& fencing, bool hello);
  absl::Status Stale(Staleness staleness, WorkerRank rank) const;
  absl::StatusOr<NextRead> Act(WorkerRank rank,
                               const v1::SessionRequest& message);
  absl::StatusOr<NextRead> TakeReport(WorkerRank rank,
                                      const v1::LoadReport& report);
  void OpenSession(WorkerRank rank, std::shared_ptr<SessionStream> stream);
  void LeaveSession(WorkerRank rank);
  // The rank whose session `stream` is; nullopt when it is nobody's any more.
  std::optional<WorkerRank> RankOf(const SessionStream& stream) const;
  void DropSession(WorkerRank rank, absl::string_view reason);
  void Push(const Outbound& message);
  void EndLeases(absl::Time now);
  void EvictSlowReaders(absl::Time now);
  void ShowState();

  const JobId id_;
  const JobEnvironment& environment_;
  JobMetrics& metrics_;

  JobMembership membership_;
  RendezvousCalls rendezvous_;
  PlanCycle cycle_;
  // By rank; null without a session.
  std::vector<std::shared_ptr<SessionStream>> sessions_;
  // Since when nobody is alive.
  std::optional<absl::Time> deserted_since_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_JOB_RUN_H_
