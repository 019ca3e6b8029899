#include "worker/train/paced_agent.h"

#include "absl/time/time.h"
#include "common/planning/planning_cost.h"
#include "common/planning/policy.h"
#include "worker/moe/compute_pace.h"

namespace balancemoe::worker {

absl::StatusOr<LayerRouting> PacedAgent::PlanLayer(
    LayerId layer, absl::Span<const int64_t> tokens_per_expert) {
  const absl::Duration waited_before = agent_.counters().plan_wait;
  auto routing = agent_.PlanLayer(layer, tokens_per_expert);
  const auto choice = ParsePolicyChoice(agent_.policy());
  if (!routing.ok() || !choice.ok()) return routing;
  const double us = scale_ * PlanningUs(*choice, routing->tokens.num_workers(),
                                        routing->tokens.num_experts(),
                                        /*searched=*/!routing->lends.empty(),
                                        plan_latency_us_);
  // What the plan really took counts.
  const absl::Duration real = agent_.counters().plan_wait - waited_before;
  SleepUntil(clock_.Now() + absl::Microseconds(us) - real, clock_);
  return routing;
}

}  // namespace balancemoe::worker
