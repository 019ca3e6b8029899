#ifndef BALANCEMOE_WORKER_AGENT_COORDINATOR_AGENT_H_
#define BALANCEMOE_WORKER_AGENT_COORDINATOR_AGENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/agent/agent.h"
#include "worker/agent/coordinated_planner.h"
#include "worker/agent/fork_guard.h"

namespace balancemoe::worker {

// The agent of a job that a coordinator plans for: a CoordinatedPlanner, kept
// from fork()ed children.
class CoordinatorAgent final : public Agent {
 public:
  explicit CoordinatorAgent(std::unique_ptr<CoordinatedPlanner> planner);
  ~CoordinatorAgent() override;

  Transport& transport() override { return planner_->transport(); }
  void ReportCostModel(const CostModel& model) override;
  void BeginIteration(Iteration iteration) override;
  absl::StatusOr<LayerRouting> PlanLayer(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert) override;
  absl::StatusOr<std::vector<LayerMoves>> EndStep() override;
  RoutedLends PlannedLends(LayerId layer) const override;
  void CommitMoves(const std::vector<LayerMoves>& moves) override;
  const GroupFacts& group() const override { return planner_->group(); }
  void ReportOutcome(LayerId layer, const LayerTimes& times) override;
  std::string policy() const override { return planner_->policy(); }
  bool attached() const override;
  AgentCounters counters() const override;
  void Detach() override;

 private:
  const ForkGuard fork_guard_;
  // A child neither uses nor destroys it: the threads that it would wait for,
  // and the owners of its locks, are not there.
  std::unique_ptr<CoordinatedPlanner> planner_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_COORDINATOR_AGENT_H_
