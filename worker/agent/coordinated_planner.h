#ifndef BALANCEMOE_WORKER_AGENT_COORDINATED_PLANNER_H_
#define BALANCEMOE_WORKER_AGENT_COORDINATED_PLANNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "worker/agent/agent.h"
#include "worker/agent/agreement.h"
#include "worker/agent/coordinator_rendezvous.h"
#include "worker/agent/layer_exchange.h"
#include "worker/agent/line_log.h"
#include "worker/agent/plan_inbox.h"
#include "worker/agent/session_client.h"
#include "worker/agent/step_plan_in_force.h"

namespace balancemoe::worker {

// One worker's part in planning by a coordinator: per layer, gather the counts,
// send the loads, wait for the plan, vote, conclude. Used from the training
// thread.
class CoordinatedPlanner {
 public:
  // Registers and forms the group. Errors: as Agent::Attach.
  static absl::StatusOr<std::unique_ptr<CoordinatedPlanner>> Create(
      AgentOptions options);
  ~CoordinatedPlanner();

  Transport& transport() { return *transport_; }
  SessionClient& client() { return client_; }
  void BeginIteration(Iteration iteration);
  absl::StatusOr<LayerRouting> PlanLayer(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert);
  absl::StatusOr<std::vector<LayerMoves>> EndStep();
  void CommitMoves(const std::vector<LayerMoves>& moves);
  RoutedLends PlannedLends(LayerId layer) const {
    return in_force_.PlannedLends(layer, group());
  }
  const GroupFacts& group() const { return exchange_->group(); }
  void ReportOutcome(LayerId layer, const LayerTimes& times);
  const std::string& policy() const { return policy_; }
  bool attached() const { return inbox_.attached(); }
  AgentCounters counters() const;
  void Detach();

 private:
  explicit CoordinatedPlanner(AgentOptions options);

  absl::Status FormGroup();
  absl::Status FormGroupOfSession(const SessionInfo& session, absl::Time end);
  bool EverybodyWaits() const;
  PlanInbox::Received AwaitPlan();
  // Whether the plan may be carried out with these counts.
  absl::Status CheckPlan(const Plan& plan, const LoadMatrix& tokens) const;
  void Adopt(StepPlan plan);
  LayerRouting Route(LayerId layer, LoadMatrix tokens,
                     const Plan& plan = {}) const {
    return RouteLayer(std::move(tokens), in_force_.homes(layer), plan.decision,
                      plan.cost, exchange_->group());
  }
  // Once the counts of all workers, `tokens`, are there, which were waited for.
  absl::StatusOr<LayerRouting> RouteGathered(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert,
      LoadMatrix tokens, absl::Duration peer_wait);
  absl::StatusOr<LayerRouting> PlanInline(LayerId layer, LoadMatrix tokens,
                                          absl::Duration peer_wait);
  // What the plan in force, made ahead, makes of the counts.
  LayerRouting RouteByPlanInForce(LayerId layer, LoadMatrix tokens,
                                  absl::Duration peer_wait);
  void ReportStepLoads(LayerId layer,
                       absl::Span<const int64_t> tokens_per_expert);
  PlanVote VoteOn(const PlanInbox::Received& received,
                  const LoadMatrix& tokens);
  // Counts what became of the plan, and gives what is to be carried out.
  Plan Conclude(Verdict verdict, PlanInbox::Received received,
                LayerOutcome& outcome);

  const AgentOptions options_;
  const SteadyClock clock_;
  LineLog log_;
  PlanInbox inbox_;
  // Talks to inbox_ and log_, so it ends before them.
  SessionClient client_;
  // The transport may use it for as long as it lives.
  CoordinatorRendezvous rendezvous_;
  std::unique_ptr<Transport> transport_;
  std::optional<LayerExchange> exchange_;

  StepPlanInForce in_force_;
  // Whether this worker wants plans made inline in this iteration; else it
  // reports all layers together, [layers * E].
  bool plans_inline_ = true;
  std::vector<int64_t> step_loads_;
  Iteration iteration_;
  // Of the last plan agreed on; before, what the coordinator said at attach.
  std::string policy_;
  // Of each layer's last plan, until its outcome is reported. [layers]
  std::vector<std::optional<LayerOutcome>> outcomes_;
  AgentCounters counters_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_COORDINATED_PLANNER_H_
