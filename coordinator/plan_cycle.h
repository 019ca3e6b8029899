#ifndef BALANCEMOE_COORDINATOR_PLAN_CYCLE_H_
#define BALANCEMOE_COORDINATOR_PLAN_CYCLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/ids.h"
#include "common/planning/policy.h"
#include "coordinator/cluster/job_membership.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/job_environment.h"
#include "coordinator/load_recorder.h"
#include "coordinator/session/iteration_gather.h"
#include "coordinator/session/job_planner.h"
#include "coordinator/session/outbound_queue.h"
#include "coordinator/session/policy_schedule.h"

namespace balancemoe::coordinator {

// From reports to plans: the part of a job that runs in every layer of every
// iteration.
//
// Not thread-safe; belongs to the strand of its job.
class PlanCycle {
 public:
  // Sends a message to every worker that has a session.
  using Push = absl::FunctionRef<void(const Outbound& message)>;

  enum class ReportState {
    // Waits for those of other workers: there will be a push, and soon, for all
    // reports of the last layer came.
    kWaiting,
    // Nothing follows from it any more, or late: after a layer without a plan,
    // what a worker says must not be held up by another that says nothing.
    kDone,
  };

  // `environment` and `metrics` must outlive the cycle.
  PlanCycle(const JobEnvironment& environment, JobMetrics& metrics,
            const JobId& job, const JobShape& shape, JobEpoch epoch,
            PolicyChoice policy);

  // Takes a report and pushes what it completes: a plan, or why there is none.
  //
  // Errors: InvalidArgument for a report that no worker in order would send.
  // One that comes at the wrong time is counted, and that is all.
  absl::StatusOr<ReportState> TakeReport(WorkerRank rank,
                                         const v1::LoadReport& report,
                                         Generation generation, Push push);

  // Errors: InvalidArgument, naming the field, for a model that is not valid.
  absl::Status TakeCalibration(WorkerRank rank,
                               const v1::Calibration& calibration);

  // A worker says where the experts live now.
  //
  // Errors: InvalidArgument for what is no placement of this job.
  absl::Status TakePlacement(const v1::Placement& placement);

  // Counts what became of a plan.
  void TakeResult(WorkerRank rank, const v1::PlanResult& result);

  // A worker says where it is.
  void TakeProgress(Iteration iteration);

  // A worker registered; `new_process`: one that was not known before.
  void Admit(const Registration& registration, bool new_process);

  // A worker's session began: it may be anywhere, and learns the policy.
  void WorkerIsBack() { gather_.ForgetPosition(); }

  // The workers regroup: nothing that was reported counts.
  void Restart() {
    gather_.Clear();
    planner_.ForgetPlacement();
    missed_last_ = false;
  }

  // Gives up what is overdue and tells the workers.
  void Expire(Push push);

  // When Expire is due.
  absl::Time next_deadline() const { return gather_.next_deadline(); }

  PolicySchedule::Change SetPolicy(const PolicyChoice& choice,
                                   Iteration first_iteration);
  const PolicySchedule& schedule() const { return schedule_; }

 private:
  // Whether it was all layers of an iteration that is planned ahead.
  bool PlanAhead(const std::vector<CompleteGather>& gathers,
                 Generation generation, Push push);
  void PushPlan(CompleteGather gather, Generation generation, Push push);
  void CountTransfers(const LayerPlan& plan);
  void PushMissed(const MissedGather& missed, Push push);

  const JobEnvironment& environment_;
  JobMetrics& metrics_;
  const JobShape shape_;

  IterationGather gather_;
  JobLoadRecord record_;
  PolicySchedule schedule_;
  JobPlanner planner_;
  // Reports were missing at the end of the last gather.
  bool missed_last_ = false;
  // The newest that any worker has begun.
  Iteration newest_begun_ = Iteration(-1);
};

// `change` as the workers are told.
Outbound EncodeConfigUpdate(const PolicySchedule::Change& change);
// `message` as it travels, serialised once for all who get it.
Outbound Encode(Outbound::Kind kind, LayerId layer,
                const v1::SessionResponse& message);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_PLAN_CYCLE_H_
