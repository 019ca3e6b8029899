#include "common/planning/step_plan.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe {

bool StepPlan::has_moves() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const LayerPlan& plan) { return !plan.moves.empty(); });
}

absl::Status ValidateStepPlan(const StepPlan& plan,
                              const JobPlacement& placement,
                              absl::Span<const int32_t> spare_slots) {
  BMOE_RETURN_IF_ERROR(ValidateCostModel(plan.cost));
  if (plan.layers.size() != placement.home_of_expert.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a plan for ", plan.layers.size(), " layers; the job has ",
                     placement.home_of_expert.size()));
  }
  for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
    absl::Status status = ValidatePlan(
        plan.layers[layer], placement.home_of_expert[layer], spare_slots);
    if (status.ok() && !std::isfinite(plan.layers[layer].predicted_after_us)) {
      status = absl::InvalidArgumentError("the forecast is not a number");
    }
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("layer ", layer, ": ", status.message()));
  }
  return absl::OkStatus();
}

std::vector<LayerMoves> MovesOf(const StepPlan& plan) {
  std::vector<LayerMoves> moves;
  for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
    if (plan.layers[layer].moves.empty()) continue;
    moves.push_back(
        {LayerId(static_cast<int32_t>(layer)), plan.layers[layer].moves});
  }
  return moves;
}

bool FitsPlacement(const StepPlan& plan, const JobPlacement& placement) {
  return placement.version ==
         plan.placement_version + (plan.has_moves() ? 1 : 0);
}

}  // namespace balancemoe
