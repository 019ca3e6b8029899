#include "common/planning/cost_model.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

absl::Status CheckAtLeast(absl::string_view field, double value,
                          double lowest) {
  if (std::isfinite(value) && value >= lowest) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("cost model: ", field, " is ", value,
                   "; it must be a number >= ", lowest));
}

template <typename T>
T Mean(absl::Span<const CostModel> models, T CostModel::*field) {
  T sum = 0;
  for (const CostModel& model : models) sum += model.*field;
  return sum / static_cast<T>(models.size());
}

}  // namespace

absl::Status ValidateCostModel(const CostModel& model) {
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("expert_launch_us", model.expert_launch_us, 0));
  BMOE_RETURN_IF_ERROR(CheckAtLeast("us_per_token", model.us_per_token, 0));
  if (model.us_per_token == 0) {
    return absl::InvalidArgumentError(
        "cost model: us_per_token is 0; a token takes some time");
  }
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("backward_factor", model.backward_factor, 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("link_latency_us", model.link_latency_us, 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("link_us_per_byte", model.link_us_per_byte, 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("overlap_slowdown", model.overlap_slowdown, 1));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("host_cpu_us_per_byte", model.host_cpu_us_per_byte, 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("expert_bytes", static_cast<double>(model.expert_bytes), 0));
  return CheckAtLeast("token_bytes", static_cast<double>(model.token_bytes), 0);
}

CostModel MeanCostModel(absl::Span<const CostModel> models) {
  CostModel mean;
  for (const auto field :
       {&CostModel::expert_launch_us, &CostModel::us_per_token,
        &CostModel::backward_factor, &CostModel::link_latency_us,
        &CostModel::link_us_per_byte, &CostModel::overlap_slowdown,
        &CostModel::host_cpu_us_per_byte}) {
    mean.*field = Mean(models, field);
  }
  mean.expert_bytes = Mean(models, &CostModel::expert_bytes);
  mean.token_bytes = Mean(models, &CostModel::token_bytes);
  return mean;
}

}  // namespace balancemoe
