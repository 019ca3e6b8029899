#include "coordinator/session/job_planner.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace balancemoe::coordinator {
namespace {

constexpr size_t kMostNames = 3;

}  // namespace

JobPlanner::JobPlanner(const JobShape& shape, JobEpoch epoch)
    : epoch_(epoch), cost_models_(static_cast<size_t>(shape.world_size)) {
  snapshot_.home_of_expert =
      ContiguousPlacement(shape.world_size, shape.experts);
  snapshot_.spare_slots.resize(static_cast<size_t>(shape.world_size));
}

void JobPlanner::SetWorker(WorkerRank rank, int32_t spare_slots) {
  snapshot_.spare_slots[rank.index()] = spare_slots;
  cost_models_[rank.index()].reset();
  mean_cost_model_.reset();
}

void JobPlanner::SetCostModel(WorkerRank rank, const CostModel& model) {
  cost_models_[rank.index()] = model;
  mean_cost_model_ = MeanCostModel();
}

PlannedLayer JobPlanner::Decide(const PolicyChoice& choice,
                                Generation generation, CompleteGather gather) {
  snapshot_.tokens = std::move(gather.tokens);
  last_plan_ = PlanId(last_plan_.value() + 1);
  PlannedLayer planned;
  planned.plan = {.id = last_plan_,
                  .epoch = epoch_,
                  .generation = generation,
                  .iteration = gather.iteration,
                  .layer = gather.layer,
                  .policy = choice.ToString(),
                  .decision = DecideLayer(choice)};
  planned.imbalance_before = Imbalance(snapshot_.home_of_expert);
  planned.imbalance_after =
      planned.plan.decision.lends.empty()
          ? planned.imbalance_before
          : Imbalance(ComputingWorkers(snapshot_.home_of_expert,
                                       planned.plan.decision.lends));
  return planned;
}

LayerPlan JobPlanner::DecideLayer(const PolicyChoice& choice) {
  if (!mean_cost_model_.has_value()) {
    LayerPlan nothing;
    nothing.reason = WhoHasNotMeasured();
    return nothing;
  }
  snapshot_.cost = *mean_cost_model_;
  return PolicyFor(choice).Decide(snapshot_);
}

const Policy& JobPlanner::PolicyFor(const PolicyChoice& choice) {
  std::unique_ptr<Policy>& policy = policy_by_choice_[choice.ToString()];
  if (policy == nullptr) policy = MakePolicy(choice);
  return *policy;
}

std::optional<CostModel> JobPlanner::MeanCostModel() const {
  CostModel mean = {.backward_factor = 0, .overlap_slowdown = 0};
  // Divided before they are added: the sum of finite numbers may not be finite.
  const double n = static_cast<double>(cost_models_.size());
  for (const std::optional<CostModel>& model : cost_models_) {
    if (!model.has_value()) return std::nullopt;
    mean.expert_launch_us += model->expert_launch_us / n;
    mean.us_per_token += model->us_per_token / n;
    mean.backward_factor += model->backward_factor / n;
    mean.link_latency_us += model->link_latency_us / n;
    mean.link_us_per_byte += model->link_us_per_byte / n;
    mean.overlap_slowdown += model->overlap_slowdown / n;
    mean.host_cpu_us_per_byte += model->host_cpu_us_per_byte / n;
  }
  // Rounding may have taken it below.
  mean.overlap_slowdown = std::max(1.0, mean.overlap_slowdown);
  // Sizes, not measurements: the same for all.
  mean.expert_bytes = cost_models_.front()->expert_bytes;
  mean.token_bytes = cost_models_.front()->token_bytes;
  return mean;
}

std::string JobPlanner::WhoHasNotMeasured() const {
  std::vector<size_t> ranks;
  size_t missing = 0;
  for (size_t i = 0; i < cost_models_.size(); ++i) {
    if (cost_models_[i].has_value()) continue;
    if (++missing <= kMostNames) ranks.push_back(i);
  }
  std::string reason =
      absl::StrCat("cost model not yet measured by worker",
                   missing == 1 ? " " : "s ", absl::StrJoin(ranks, ", "));
  if (missing > ranks.size()) {
    absl::StrAppend(&reason, " and ", missing - ranks.size(), " more");
  }
  return reason;
}

double JobPlanner::Imbalance(
    const std::vector<WorkerRank>& worker_of_expert) const {
  std::vector<int64_t> tokens(snapshot_.spare_slots.size());
  int64_t sum = 0;
  for (int32_t source = 0; source < snapshot_.tokens.num_workers(); ++source) {
    const auto row = snapshot_.tokens.Row(WorkerRank(source));
    for (size_t expert = 0; expert < row.size(); ++expert) {
      tokens[worker_of_expert[expert].index()] += row[expert];
      sum += row[expert];
    }
  }
  if (sum == 0) return 1;
  return static_cast<double>(*std::max_element(tokens.begin(), tokens.end())) *
         static_cast<double>(tokens.size()) / static_cast<double>(sum);
}

}  // namespace balancemoe::coordinator
