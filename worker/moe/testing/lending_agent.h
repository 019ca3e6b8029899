#ifndef BALANCEMOE_WORKER_MOE_TESTING_LENDING_AGENT_H_
#define BALANCEMOE_WORKER_MOE_TESTING_LENDING_AGENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/agent/agent.h"

namespace balancemoe::worker {

// Chooses lends, with exact tokens or kAllTokens; must give the same on every
// worker.
using LendChooser = std::function<std::vector<Lend>(
    Iteration iteration, LayerId layer, const LayerRouting& routing)>;

// An agent whose lends a test chooses, whether they make sense or not; without
// a chooser, `agent`'s policy does. Everything else is done by `agent`.
class LendingAgent final : public Agent {
 public:
  // Experts that several workers borrow go by the cheapest route under
  // `routes`; the default sends to each from home.
  LendingAgent(std::unique_ptr<Agent> agent, LendChooser chooser,
               const CostModel& routes = {})
      : agent_(std::move(agent)),
        chooser_(std::move(chooser)),
        routes_(routes) {}

  Transport& transport() override { return agent_->transport(); }
  void ReportCostModel(const CostModel& model) override {
    agent_->ReportCostModel(model);
  }
  void BeginIteration(Iteration iteration) override {
    iteration_ = iteration;
    agent_->BeginIteration(iteration);
  }
  absl::StatusOr<LayerRouting> PlanLayer(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert) override {
    auto routing = agent_->PlanLayer(layer, tokens_per_expert);
    if (!routing.ok() || !chooser_) return routing;
    LayerPlan plan;
    plan.lends = chooser_(iteration_, layer, *routing);
    LayerRouting chosen =
        RouteLayer(routing->tokens, routing->home_of_expert, plan, routes_);
    chosen.plan = PlanId(plan.lends.empty() ? 0 : 1);
    chosen.peer_wait = routing->peer_wait;
    return chosen;
  }
  absl::StatusOr<std::vector<LayerMoves>> EndStep() override {
    return agent_->EndStep();
  }
  RoutedLends PlannedLends(LayerId layer) const override {
    return agent_->PlannedLends(layer);
  }
  void CommitMoves(const std::vector<LayerMoves>& moves) override {
    agent_->CommitMoves(moves);
  }
  const GroupFacts& group() const override { return agent_->group(); }
  void ReportOutcome(LayerId layer, const LayerTimes& times) override {
    outcomes_.emplace_back(layer, times);
  }
  std::string policy() const override { return agent_->policy(); }
  bool attached() const override { return agent_->attached(); }
  AgentCounters counters() const override { return agent_->counters(); }
  void Detach() override { agent_->Detach(); }

  const std::vector<std::pair<LayerId, LayerTimes>>& outcomes() const {
    return outcomes_;
  }

 private:
  const std::unique_ptr<Agent> agent_;
  const LendChooser chooser_;
  const CostModel routes_;
  Iteration iteration_;
  std::vector<std::pair<LayerId, LayerTimes>> outcomes_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TESTING_LENDING_AGENT_H_
