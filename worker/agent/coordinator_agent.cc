#include "worker/agent/coordinator_agent.h"

#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "worker/agent/agent_environment.h"

namespace balancemoe::worker {

absl::StatusOr<std::unique_ptr<Agent>> Agent::Attach(AgentOptions options) {
  BMOE_RETURN_IF_ERROR(ValidateAgentOptions(options));
  BMOE_ASSIGN_OR_RETURN(auto planner,
                        CoordinatedPlanner::Create(std::move(options)));
  return std::unique_ptr<Agent>(new CoordinatorAgent(std::move(planner)));
}

CoordinatorAgent::CoordinatorAgent(std::unique_ptr<CoordinatedPlanner> planner)
    : planner_(std::move(planner)) {}

CoordinatorAgent::~CoordinatorAgent() {
  if (fork_guard_.InForkedChild()) static_cast<void>(planner_.release());
}

void CoordinatorAgent::ReportCostModel(const CostModel& model) {
  if (!fork_guard_.InForkedChild()) planner_->client().SetCostModel(model);
}

void CoordinatorAgent::BeginIteration(Iteration iteration) {
  if (!fork_guard_.InForkedChild()) planner_->BeginIteration(iteration);
}

absl::StatusOr<LayerRouting> CoordinatorAgent::PlanLayer(
    LayerId layer, absl::Span<const int64_t> tokens_per_expert) {
  if (fork_guard_.InForkedChild()) {
    return absl::FailedPreconditionError(
        "agent: this process is a fork of the one that attached");
  }
  return planner_->PlanLayer(layer, tokens_per_expert);
}

absl::StatusOr<std::vector<LayerMoves>> CoordinatorAgent::EndStep() {
  if (fork_guard_.InForkedChild()) return std::vector<LayerMoves>();
  return planner_->EndStep();
}

RoutedLends CoordinatorAgent::PlannedLends(LayerId layer) const {
  if (fork_guard_.InForkedChild()) return {};
  return planner_->PlannedLends(layer);
}

void CoordinatorAgent::CommitMoves(const std::vector<LayerMoves>& moves) {
  if (!fork_guard_.InForkedChild()) planner_->CommitMoves(moves);
}

void CoordinatorAgent::ReportOutcome(LayerId layer, const LayerTimes& times) {
  if (!fork_guard_.InForkedChild()) planner_->ReportOutcome(layer, times);
}

bool CoordinatorAgent::attached() const {
  return !fork_guard_.InForkedChild() && planner_->attached();
}

AgentCounters CoordinatorAgent::counters() const {
  return fork_guard_.InForkedChild() ? AgentCounters() : planner_->counters();
}

void CoordinatorAgent::Detach() {
  if (!fork_guard_.InForkedChild()) planner_->Detach();
}

}  // namespace balancemoe::worker
