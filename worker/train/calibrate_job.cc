#include "worker/train/calibrate_job.h"

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "common/status_macros.h"
#include "worker/train/train_job.h"
#include "worker/transport/gather_all.h"

namespace balancemoe::worker {
namespace {

// Of which each waits for a plan.
constexpr int64_t kIterations = 50;

// What a step waited for the coordinator, on average.
absl::StatusOr<double> MeasurePlanLatencyUs(const TrainOptions& options,
                                            Agent& agent) {
  const std::vector<int64_t> tokens(static_cast<size_t>(options.experts), 100);
  // The first ones find cold caches.
  constexpr int64_t kWarmup = 5;
  absl::Duration before;
  for (int64_t i = 0; i < kWarmup + kIterations; ++i) {
    if (i == kWarmup) before = agent.counters().plan_wait;
    agent.BeginIteration(Iteration(i));
    BMOE_RETURN_IF_ERROR(agent.PlanLayer(LayerId(0), tokens).status());
  }
  return absl::ToDoubleMicroseconds(agent.counters().plan_wait - before) /
         static_cast<double>(kIterations);
}

}  // namespace

absl::StatusOr<CostModel> RunCalibrateJob(const TrainOptions& options,
                                          const torch::Device& device,
                                          Agent& agent) {
  BMOE_ASSIGN_OR_RETURN(CostModel mine, CalibrateFor(options, device, agent));
  BMOE_ASSIGN_OR_RETURN(mine.plan_latency_us,
                        MeasurePlanLatencyUs(options, agent));
  BMOE_ASSIGN_OR_RETURN(const std::vector<CostModel> all,
                        GatherAll<CostModel>({mine}, agent.transport()));
  return MeanCostModel(all);
}

}  // namespace balancemoe::worker
