#ifndef BALANCEMOE_COORDINATOR_SESSION_JOB_PLANNER_H_
#define BALANCEMOE_COORDINATOR_SESSION_JOB_PLANNER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/planning/ahead_past.h"
#include "common/planning/cost_model.h"
#include "common/planning/job_placement.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"
#include "common/planning/policy.h"
#include "common/planning/quota_split.h"
#include "common/planning/step_plan.h"
#include "coordinator/cluster/job_membership.h"
#include "coordinator/session/iteration_gather.h"

namespace balancemoe::coordinator {

struct PlannedLayer {
  Plan plan;
  // Heaviest worker over the mean, of the tokens that each computes.
  double imbalance_before = 1;
  double imbalance_after = 1;
};

struct PlannedStep {
  StepPlan plan;
  // As of PlannedLayer, means over the layers, of the iteration that was
  // reported: without what is in place, and with the new plan.
  double imbalance_before = 1;
  double imbalance_after = 1;
};

// Makes the plans of one job from its workers' reports and cost models. Until
// every worker has measured its cost model, plans hold no lends and say whose
// is missing.
//
// Not thread-safe; belongs to the strand of its job.
class JobPlanner {
 public:
  JobPlanner(const JobShape& shape, JobEpoch epoch);

  // A process took `rank`: its cost model is not known yet.
  void SetWorker(WorkerRank rank, int32_t spare_slots, int32_t node);
  // Where the experts live from now on; of an older version than what is known,
  // it is ignored. `placement` must be valid.
  void SetPlacement(JobPlacement placement);
  // The workers start over: whatever they say next of their placement counts.
  void ForgetPlacement();
  // JobPlacement::version by which plans are made.
  uint64_t placement_version() const { return placement_.version; }
  // Of one expert, as the workers measured; 0 before.
  int64_t optimizer_bytes() const { return snapshot_.cost.optimizer_bytes; }
  // `model` must be valid.
  void SetCostModel(WorkerRank rank, const CostModel& model);

  // Plan ids rise from call to call. The gather's placement must be the one
  // known here.
  PlannedLayer Decide(const PolicyChoice& choice, Generation generation,
                      CompleteGather gather);

  // Plans the iterations after that of `gathers`, one for each layer in order,
  // by a choice that plans ahead. None while a cost model is missing.
  std::optional<PlannedStep> DecideStep(
      const PolicyChoice& choice, Generation generation,
      const std::vector<CompleteGather>& gathers);

 private:
  LayerPlan DecideLayerAhead(const PolicyChoice& choice,
                             const CompleteGather& gather);
  const Policy& PolicyFor(const PolicyChoice& choice);
  LayerPlan DecideLayer(const PolicyChoice& choice);
  std::string WhoHasNotMeasured() const;
  // Heaviest worker over the mean, of the tokens in the snapshot, without the
  // plan and with it.
  std::pair<double, double> Imbalance(const LayerPlan& plan);

  const JobEpoch epoch_;
  // By rank.
  std::vector<std::optional<CostModel>> cost_models_;
  // The mean, kept because it seldom changes; none while some worker's is
  // missing.
  std::optional<CostModel> mean_cost_model_;
  JobPlacement placement_;
  bool placement_forgotten_ = true;
  // What policies see; only loads and homes change from call to call.
  LayerSnapshot snapshot_;
  std::map<std::string, std::unique_ptr<Policy>> policy_by_choice_;
  QuotaSplitter splitter_;
  // [layers], of the policy that made the last plan ahead.
  std::vector<AheadPast> past_;
  std::string past_policy_;
  PlanId last_plan_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SESSION_JOB_PLANNER_H_
