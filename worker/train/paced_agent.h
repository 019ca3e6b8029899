#ifndef BALANCEMOE_WORKER_TRAIN_PACED_AGENT_H_
#define BALANCEMOE_WORKER_TRAIN_PACED_AGENT_H_

#include <string>
#include <vector>

#include "common/clock.h"
#include "worker/agent/agent.h"

namespace balancemoe::worker {

// An agent whose planning takes as long as a cost model says, for emulation;
// all else is that of another agent.
class PacedAgent final : public Agent {
 public:
  // `agent` must outlive this; `plan_latency_us` is that of an inline plan by
  // the coordinator, `scale` how much longer everything takes than there.
  PacedAgent(Agent& agent, double plan_latency_us, double scale)
      : agent_(agent), plan_latency_us_(plan_latency_us), scale_(scale) {}

  Transport& transport() override { return agent_.transport(); }
  void ReportCostModel(const CostModel& model) override {
    agent_.ReportCostModel(model);
  }
  void BeginIteration(Iteration iteration) override {
    agent_.BeginIteration(iteration);
  }
  absl::StatusOr<LayerRouting> PlanLayer(
      LayerId layer, absl::Span<const int64_t> tokens_per_expert) override;
  absl::StatusOr<std::vector<LayerMoves>> EndStep() override {
    return agent_.EndStep();
  }
  void CommitMoves(const std::vector<LayerMoves>& moves) override {
    agent_.CommitMoves(moves);
  }
  RoutedLends PlannedLends(LayerId layer) const override {
    return agent_.PlannedLends(layer);
  }
  const GroupFacts& group() const override { return agent_.group(); }
  void ReportOutcome(LayerId layer, const LayerTimes& times) override {
    agent_.ReportOutcome(layer, times);
  }
  std::string policy() const override { return agent_.policy(); }
  bool attached() const override { return agent_.attached(); }
  AgentCounters counters() const override { return agent_.counters(); }
  void Detach() override { agent_.Detach(); }

 private:
  Agent& agent_;
  const double plan_latency_us_;
  const double scale_;
  const SteadyClock clock_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_PACED_AGENT_H_
