#ifndef BALANCEMOE_WORKER_AGENT_LOCAL_AGENT_H_
#define BALANCEMOE_WORKER_AGENT_LOCAL_AGENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/planning/ahead_past.h"
#include "common/planning/cost_model.h"
#include "common/planning/job_placement.h"
#include "common/planning/policy.h"
#include "worker/agent/agent.h"
#include "worker/agent/fork_guard.h"
#include "worker/agent/layer_exchange.h"
#include "worker/agent/step_plan_in_force.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The same on all workers, except for the cost model and the node.
struct LocalAgentOptions {
  int32_t layers = 0;
  int32_t experts_per_layer = 0;
  // Bytes of one expert's parameters.
  int64_t expert_bytes = 0;
  // Experts that this worker can borrow at a time, per layer.
  int32_t spare_slots = 4;
  // As AgentOptions says.
  int32_t node = 0;
  // As AgentOptions says.
  bool ends_steps = false;
  // "policy" or "policy@mode".
  std::string policy = "pairwise";
  // Where it is known beforehand; else ReportCostModel brings it, and there are
  // no transfers before all workers have one.
  std::optional<CostModel> cost_model;
};

// An agent without a coordinator: every worker decides alike, with the same
// pure policy on the same exact counts, which the workers exchange in any case.
// Costs no round trip, and every worker the time to decide.
class LocalAgent final : public Agent {
 public:
  // A collective of `transport`: compares the options of all workers.
  //
  // Errors: InvalidArgument for options that make no sense, an unknown policy
  // among them; FailedPrecondition for a policy that moves experts where the
  // job does not carry that out, or, naming the worker, when others gave other
  // numbers; those of the transport.
  static absl::StatusOr<std::unique_ptr<Agent>> Create(
      const LocalAgentOptions& options, std::unique_ptr<Transport> transport);
  ~LocalAgent() override;

  Transport& transport() override { return *transport_; }
  void ReportCostModel(const CostModel& model) override;
  void BeginIteration(Iteration iteration) override;
  absl::StatusOr<LayerRouting> PlanLayer(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert) override;
  // Plans ahead on every worker alike; asks nobody.
  absl::StatusOr<std::vector<LayerMoves>> EndStep() override;
  void CommitMoves(const std::vector<LayerMoves>& moves) override {
    in_force_.CommitMoves(moves);
  }
  RoutedLends PlannedLends(LayerId layer) const override {
    return in_force_.PlannedLends(layer, exchange_.group());
  }
  const GroupFacts& group() const override { return exchange_.group(); }
  // Nobody to tell.
  void ReportOutcome(LayerId, const LayerTimes&) override {}
  std::string policy() const override { return choice_.ToString(); }
  bool attached() const override { return false; }
  AgentCounters counters() const override { return counters_; }
  void Detach() override {}

 private:
  LocalAgent(const LocalAgentOptions& options, PolicyChoice choice,
             std::unique_ptr<Transport> transport, LayerExchange exchange);

  // The mean of all workers' models; none while one is missing.
  std::optional<CostModel> GatheredCostModel() const;
  // Decides alike on every worker.
  LayerPlan DecideInline(LayerId layer, const LoadMatrix& tokens,
                         const CostModel& cost);
  LayerRouting Route(LayerId layer, LoadMatrix tokens);

  const PolicyChoice choice_;
  const std::unique_ptr<Policy> policy_;
  // A fork()ed child leaves it alone: it lacks the transport's threads.
  const ForkGuard fork_guard_;
  std::unique_ptr<Transport> transport_;
  const SteadyClock clock_;

  // Of the training thread.
  StepPlanInForce in_force_;
  // [layers]; for plans made ahead.
  std::vector<AheadPast> past_;
  LayerExchange exchange_;
  std::vector<int64_t> cost_words_;
  Iteration iteration_;
  uint64_t decisions_ = 0;
  AgentCounters counters_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_LOCAL_AGENT_H_
