#include "worker/bench/service_job.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/planning/layer_snapshot.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"

namespace balancemoe::worker {
namespace {

// Tokens of the hottest expert, from one worker.
constexpr int64_t kHottest = 2048;
// The hottest expert of one layer and that of the next lie this far apart.
constexpr int64_t kShiftPerLayer = 7;
// The coordinator takes the mean of the workers' cost models, which rounds.
constexpr double kRelativeRounding = 1e-9;

bool IsClose(double a, double b) {
  return std::abs(a - b) <= kRelativeRounding * std::max(a, b);
}

absl::Status CheckDecision(const LayerPlan& got, const LayerPlan& expected) {
  if (got.lends != expected.lends) {
    return absl::InternalError(absl::StrCat(
        "the plan holds ", got.lends.size(), " lends, the policy decides on ",
        expected.lends.size(), " or on others: ", got.reason));
  }
  if (!IsClose(got.predicted_before_us, expected.predicted_before_us) ||
      !IsClose(got.predicted_after_us, expected.predicted_after_us)) {
    return absl::InternalError(
        absl::StrCat("the plan predicts ", got.predicted_before_us, " us and ",
                     got.predicted_after_us, " us, the policy ",
                     expected.predicted_before_us, " us and ",
                     expected.predicted_after_us, " us"));
  }
  return absl::OkStatus();
}

}  // namespace

CostModel SimulatedCostModel() {
  return {.expert_launch_us = 10,
          .us_per_token = 1,
          .backward_factor = 2,
          .intra_node = {50, 1e-3},
          .inter_node = {50, 1e-3},
          .overlap_slowdown = 1,
          .host_cpu_us_per_byte = 0,
          .expert_bytes = 2 << 20,
          .token_bytes = 1024};
}

LoadMatrix SimulatedLoads(const ServiceJob& job, LayerId layer) {
  LoadMatrix loads(job.workers, job.experts);
  for (int64_t rank = 0; rank < job.workers; ++rank) {
    const auto row = loads.MutableRow(WorkerRank(static_cast<int32_t>(rank)));
    for (int64_t expert = 0; expert < job.experts; ++expert) {
      const int64_t place =
          (expert + kShiftPerLayer * layer.value()) % job.experts;
      // So that no two workers say the same.
      const int64_t own = (31 * rank + 17 * expert) % 61;
      row[static_cast<size_t>(expert)] = kHottest / (1 + place) + own;
    }
  }
  return loads;
}

LayerPlan ExpectedDecision(const ServiceJob& job, LayerId layer) {
  const LayerSnapshot snapshot = {
      .tokens = SimulatedLoads(job, layer),
      .home_of_expert = ContiguousPlacement(job.workers, job.experts),
      .spare_slots = std::vector<int32_t>(static_cast<size_t>(job.workers),
                                          job.spare_slots),
      .cost = SimulatedCostModel()};
  return MakePolicy(job.policy)->Decide(snapshot);
}

absl::Status CheckPlans(const ServiceJob& job, const LayerPlan& expected,
                        Iteration iteration, LayerId layer,
                        absl::Span<const absl::string_view> plans) {
  const auto other = std::find_if(
      plans.begin(), plans.end(),
      [&plans](absl::string_view plan) { return plan != plans.front(); });
  if (other != plans.end()) {
    return absl::InternalError(
        absl::StrCat("worker ", other - plans.begin(),
                     " got another plan than worker 0 for iteration ",
                     iteration.value(), ", layer ", layer.value()));
  }
  BMOE_ASSIGN_OR_RETURN(
      const Plan plan,
      DecodePlan(plans.front(), SimulatedCostModel().expert_bytes));
  if (plan.iteration != iteration || plan.layer != layer ||
      plan.policy != job.policy.ToString()) {
    return absl::InternalError(absl::StrCat(
        "a plan by ", plan.policy, " for iteration ", plan.iteration.value(),
        ", layer ", plan.layer.value(), " instead of one by ",
        job.policy.ToString(), " for iteration ", iteration.value(), ", layer ",
        layer.value()));
  }
  return CheckDecision(plan.decision, expected);
}

}  // namespace balancemoe::worker
