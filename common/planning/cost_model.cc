#include "common/planning/cost_model.h"

#include <algorithm>
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

absl::Status CheckLink(absl::string_view field, const Link& link) {
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast(absl::StrCat(field, ".latency_us"), link.latency_us, 0));
  return CheckAtLeast(absl::StrCat(field, ".us_per_byte"), link.us_per_byte, 0);
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
  BMOE_RETURN_IF_ERROR(CheckLink("intra_node", model.intra_node));
  BMOE_RETURN_IF_ERROR(CheckLink("inter_node", model.inter_node));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("overlap_slowdown", model.overlap_slowdown, 1));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("host_cpu_us_per_byte", model.host_cpu_us_per_byte, 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("expert_bytes", static_cast<double>(model.expert_bytes), 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("token_bytes", static_cast<double>(model.token_bytes), 0));
  BMOE_RETURN_IF_ERROR(CheckAtLeast(
      "optimizer_bytes", static_cast<double>(model.optimizer_bytes), 0));
  BMOE_RETURN_IF_ERROR(
      CheckAtLeast("plan_latency_us", model.plan_latency_us, 0));
  return CheckAtLeast("head_start", model.head_start, 0);
}

CostModel OfLayer(const CostModel& job, LayerId layer) {
  CostModel model = job;
  if (layer == LayerId(0)) model.head_start = 0;
  return model;
}

CostModel MeanCostModel(absl::Span<const CostModel> models) {
  CostModel mean = models.front();
  // Divided before they are added: the sum of finite numbers may not be finite.
  const double n = static_cast<double>(models.size());
  const auto average = [&](auto field) {
    double sum = 0;
    for (const CostModel& model : models) sum += field(model) / n;
    return sum;
  };
  for (const auto field :
       {&CostModel::expert_launch_us, &CostModel::us_per_token,
        &CostModel::backward_factor, &CostModel::overlap_slowdown,
        &CostModel::host_cpu_us_per_byte, &CostModel::plan_latency_us}) {
    mean.*field = average([&](const CostModel& model) { return model.*field; });
  }
  for (const auto link : {&CostModel::intra_node, &CostModel::inter_node}) {
    for (const auto field : {&Link::latency_us, &Link::us_per_byte}) {
      mean.*link.*field =
          average([&](const CostModel& model) { return model.*link.*field; });
    }
  }
  // Rounding may have taken it below.
  mean.overlap_slowdown = std::max(1.0, mean.overlap_slowdown);
  return mean;
}

}  // namespace balancemoe
