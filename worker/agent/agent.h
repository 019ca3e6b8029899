#ifndef BALANCEMOE_WORKER_AGENT_AGENT_H_
#define BALANCEMOE_WORKER_AGENT_AGENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/job_placement.h"
#include "worker/agent/layer_routing.h"
#include "worker/transport/held_sends.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// What a job tells the coordinator, and how its agent behaves.
struct AgentOptions {
  // "host:port" of the coordinator.
  std::string coordinator;
  JobId job_id;
  // The same for all workers of one run, different for every run; a second run
  // under the same job id is refused while the first lives.
  std::string run_id;
  WorkerRank rank;
  int32_t world_size = 1;
  int32_t layers = 0;
  int32_t experts_per_layer = 0;
  // Bytes of one expert's parameters.
  int64_t expert_bytes = 0;
  // Experts that this worker can borrow at a time, per layer.
  int32_t spare_slots = 4;
  // Of this worker, from 0 on: workers of one node share fast links. Below the
  // world size.
  int32_t node = 0;
  // Whether the job calls EndStep at the end of each step and does what it says
  // (StepTransfers in worker/moe): then plans may be made ahead and move
  // experts.
  bool ends_steps = false;
  // "policy@mode"; empty: the coordinator's default.
  std::string policy;
  TransportFactory transport;
  // How long a step may wait for a plan.
  absl::Duration plan_deadline = absl::Milliseconds(50);
  // How long Attach may take: the slowest worker must have started.
  absl::Duration attach_timeout = absl::Seconds(60);
  // Gets a line for people now and then, rate-limited; may be called from any
  // thread. Default: standard error.
  std::function<void(absl::string_view line)> log;
};

// What came of the plans of one layer in one iteration, measured.
struct LayerTimes {
  absl::Duration layer;
  absl::Duration exposed_transfer;
  int64_t transfer_bytes = 0;
};

// Plans that were dropped on arrival, by what was wrong with them.
struct DroppedPlans {
  // For a layer that was over already.
  int64_t older = 0;
  // For a layer that has not begun.
  int64_t early = 0;
  int64_t other_epoch = 0;
  int64_t other_generation = 0;
  // A second one for the same layer.
  int64_t surplus = 0;
  // No plan at all: garbage bytes.
  int64_t unreadable = 0;
};

// Totals since Attach.
struct AgentCounters {
  int64_t plans_used = 0;
  int64_t plans_none = 0;
  int64_t plans_late = 0;
  int64_t plans_refused = 0;
  // Waits for a plan that took the whole plan deadline.
  int64_t plan_deadlines_missed = 0;
  DroppedPlans dropped;
  int64_t reattached = 0;
  absl::Duration plan_wait;
  absl::Duration peer_wait;
};

// A worker's side of BalanceMoE: tells the coordinator what was routed, gets
// its plans, and settles with the other workers which of them is carried out.
//
//   attached --coordinator gone, fenced--> detached --it answers again-->
//   attached
//
// Detached, training goes on without plans; re-attaching needs no help. Used
// from the training thread, one layer at a time; its own threads do the
// talking. Destruction ends within a second, whatever the coordinator does.
// After fork(), the child's copy does nothing.
class Agent {
 public:
  // Registers, forms the transport's group with the other workers, and opens
  // the session.
  //
  // Errors:
  //   InvalidArgument     an option makes no sense, or the policy is unknown.
  //   FailedPrecondition  other workers of the job registered other numbers.
  //   AlreadyExists       another run uses the job id.
  //   Unavailable         no coordinator there within the attach timeout.
  //   DeadlineExceeded    not all workers came; names them.
  static absl::StatusOr<std::unique_ptr<Agent>> Attach(AgentOptions options);

  virtual ~Agent() = default;

  virtual Transport& transport() = 0;

  // Through which experts and gradients leave over transport(), whichever layer
  // they belong to.
  HeldSends& held_sends();

  // Sends the measured cost model; plans with transfers come once all workers
  // have sent theirs. Kept, and sent again after a re-attach.
  virtual void ReportCostModel(const CostModel& model) = 0;

  // Starts the next iteration. Numbers rise.
  virtual void BeginIteration(Iteration iteration) = 0;

  // Tells what this worker routed in `layer`, [E], and returns what all workers
  // routed and the plan they agreed on. A collective: every worker calls it for
  // the same layers in the same order. Waits for its peers, and for a plan at
  // most the plan deadline.
  //
  // Errors: InvalidArgument for a wrong layer or length; those of the
  // transport. Never an error because of the coordinator.
  virtual absl::StatusOr<LayerRouting> PlanLayer(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert) = 0;

  // The step has ended: settles by which plan made ahead the next iteration
  // goes, if any, and returns the moves that it needs first. A collective, for
  // jobs with AgentOptions::ends_steps. Never waits for the coordinator.
  //
  // Errors: those of the transport.
  virtual absl::StatusOr<std::vector<LayerMoves>> EndStep() = 0;

  // The homes of `moves` have changed, on every worker alike: each holds the
  // experts that live there now. Between iterations; inline plans made before
  // are void.
  virtual void CommitMoves(const std::vector<LayerMoves>& moves) = 0;

  // The experts that `layer` will borrow in the next iteration by a plan made
  // ahead, and whose parameters may be sent before its counts are known; tokens
  // mean nothing. After EndStep and CommitMoves; the same on all workers.
  virtual RoutedLends PlannedLends(LayerId layer) const = 0;

  // Tells the coordinator how the last plan of `layer` went.
  virtual void ReportOutcome(LayerId layer, const LayerTimes& times) = 0;

  // Spare slots and nodes of all workers.
  virtual const GroupFacts& group() const = 0;

  // "policy@mode" by which this iteration is planned; the same on all workers.
  virtual std::string policy() const = 0;

  virtual bool attached() const = 0;
  virtual AgentCounters counters() const = 0;

  // Leaves the job. Returns within a second; the destructor calls it.
  virtual void Detach() = 0;

 private:
  // Made when first asked for. Touches no transport when destroyed.
  std::unique_ptr<HeldSends> held_sends_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_AGENT_H_
