#include "coordinator/session/job_planner.h"

#include <cstddef>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/layer_loads.h"
#include "common/planning/lend_quotas.h"

namespace balancemoe::coordinator {
namespace {

constexpr size_t kMostNames = 3;

}  // namespace

JobPlanner::JobPlanner(const JobShape& shape, JobEpoch epoch)
    : epoch_(epoch),
      cost_models_(static_cast<size_t>(shape.world_size)),
      placement_(
          FirstPlacement(shape.layers, shape.world_size, shape.experts)) {
  snapshot_.spare_slots.resize(static_cast<size_t>(shape.world_size));
  snapshot_.node_of_worker.resize(static_cast<size_t>(shape.world_size));
}

void JobPlanner::SetWorker(WorkerRank rank, int32_t spare_slots, int32_t node) {
  snapshot_.spare_slots[rank.index()] = spare_slots;
  snapshot_.node_of_worker[rank.index()] = node;
  cost_models_[rank.index()].reset();
  mean_cost_model_.reset();
}

void JobPlanner::SetPlacement(JobPlacement placement) {
  if (!placement_forgotten_ && placement.version <= placement_.version) return;
  placement_forgotten_ = false;
  placement_ = std::move(placement);
}

void JobPlanner::ForgetPlacement() { placement_forgotten_ = true; }

void JobPlanner::SetCostModel(WorkerRank rank, const CostModel& model) {
  cost_models_[rank.index()] = model;
  std::vector<CostModel> measured;
  for (const std::optional<CostModel>& of_worker : cost_models_) {
    if (of_worker.has_value()) measured.push_back(*of_worker);
  }
  if (measured.size() == cost_models_.size()) {
    mean_cost_model_ = MeanCostModel(measured);
  }
}

PlannedLayer JobPlanner::Decide(const PolicyChoice& choice,
                                Generation generation, CompleteGather gather) {
  snapshot_.iteration = gather.iteration;
  snapshot_.tokens = std::move(gather.tokens);
  snapshot_.home_of_expert = placement_.home_of_expert[gather.layer.index()];
  last_plan_ = PlanId(last_plan_.value() + 1);
  PlannedLayer planned;
  planned.plan = {.id = last_plan_,
                  .epoch = epoch_,
                  .generation = generation,
                  .iteration = gather.iteration,
                  .layer = gather.layer,
                  .policy = choice.ToString(),
                  .cost = mean_cost_model_.value_or(CostModel()),
                  .decision = DecideLayer(choice)};
  std::tie(planned.imbalance_before, planned.imbalance_after) =
      Imbalance(planned.plan.decision);
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

std::pair<double, double> JobPlanner::Imbalance(const LayerPlan& plan) {
  const LayerLoads before(snapshot_.tokens, snapshot_.home_of_expert,
                          snapshot_.node_of_worker);
  const double times_mean = FindBusiest(before.workers()).times_mean;
  if (plan.empty()) return {times_mean, times_mean};
  const LayerLoads after(snapshot_.tokens,
                         HomesAfter(snapshot_.home_of_expert, plan.moves),
                         snapshot_.node_of_worker);
  const std::vector<Lend> lends = ResolveQuotas(plan, after, splitter_);
  LayerForecaster forecaster(snapshot_.cost);
  forecaster.Time(after, {.lends = lends});
  return {times_mean, FindBusiest(forecaster.workers()).times_mean};
}

std::optional<PlannedStep> JobPlanner::DecideStep(
    const PolicyChoice& choice, Generation generation,
    const std::vector<CompleteGather>& gathers) {
  if (past_policy_ != choice.ToString() || past_.size() != gathers.size()) {
    past_policy_ = choice.ToString();
    past_.assign(gathers.size(), {});
  }
  last_plan_ = PlanId(last_plan_.value() + 1);
  PlannedStep planned;
  planned.plan = {.id = last_plan_,
                  .epoch = epoch_,
                  .generation = generation,
                  .first = Iteration(gathers.front().iteration.value() + 1),
                  .placement_version = placement_.version,
                  .policy = choice.ToString(),
                  .cost = mean_cost_model_.value_or(CostModel()),
                  .layers = {}};
  const auto layers = static_cast<double>(gathers.size());
  planned.imbalance_before = 0;
  planned.imbalance_after = 0;
  for (const CompleteGather& gather : gathers) {
    planned.plan.layers.push_back(DecideLayerAhead(choice, gather));
    const auto [before, after] = Imbalance(planned.plan.layers.back());
    planned.imbalance_before += before / layers;
    planned.imbalance_after += after / layers;
  }
  if (!mean_cost_model_.has_value()) return std::nullopt;
  return planned;
}

LayerPlan JobPlanner::DecideLayerAhead(const PolicyChoice& choice,
                                       const CompleteGather& gather) {
  snapshot_.tokens = gather.tokens;
  snapshot_.home_of_expert = placement_.home_of_expert[gather.layer.index()];
  AheadPast& past = past_[gather.layer.index()];
  const LayerLoads loads(snapshot_.tokens, snapshot_.home_of_expert,
                         snapshot_.node_of_worker);
  past.Remember(gather.iteration, loads.tokens_of_expert());
  if (!mean_cost_model_.has_value()) return {};
  snapshot_.cost = OfLayer(*mean_cost_model_, gather.layer);
  return past.Decide(PolicyFor(choice), snapshot_);
}

}  // namespace balancemoe::coordinator
