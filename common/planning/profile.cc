#include "common/planning/profile.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace balancemoe {
namespace {

struct Bound {
  absl::string_view key;
  double value = 0;
  double lowest = 0;
  // Whether `lowest` itself is too low.
  bool above = false;
  // So that bytes and floating-point operations stay far from overflow.
  double highest = 1e15;
};

absl::Status CheckBound(const Bound& bound) {
  const bool high_enough =
      bound.above ? bound.value > bound.lowest : bound.value >= bound.lowest;
  if (high_enough && bound.value <= bound.highest) return absl::OkStatus();
  const bool too_high = high_enough && std::isfinite(bound.value);
  return absl::InvalidArgumentError(
      absl::StrCat(bound.key, " is ", bound.value, "; it must be a number ",
                   too_high      ? "<= "
                   : bound.above ? "> "
                                 : ">= ",
                   too_high ? bound.highest : bound.lowest));
}

}  // namespace

absl::Status ValidateProfile(const Profile& profile) {
  if (profile.name.empty()) {
    return absl::InvalidArgumentError("name is empty; it names the profile");
  }
  const auto number = [](int64_t value) { return static_cast<double>(value); };
  constexpr double kWidest = int64_t{1} << 24;
  for (const Bound& bound : {
           Bound{"hidden", number(profile.hidden), 0, true, kWidest},
           Bound{"ffn", number(profile.ffn), 0, true, kWidest},
           Bound{"dtype_bytes", number(profile.dtype_bytes), 0, true, 16},
           Bound{"optimizer_bytes_per_parameter",
                 number(profile.optimizer_bytes_per_parameter), 0, false, 64},
           Bound{"tflops", profile.tflops, 0, true},
           Bound{"expert_launch_us", profile.expert_launch_us, 0},
           Bound{"intra_node.latency_us", profile.intra_node.latency_us, 0},
           Bound{"intra_node.gb_per_s", profile.intra_node.gb_per_s, 0, true},
           Bound{"inter_node.latency_us", profile.inter_node.latency_us, 0},
           Bound{"inter_node.gb_per_s", profile.inter_node.gb_per_s, 0, true},
           Bound{"workers_per_node", number(profile.workers_per_node), 0, true},
           Bound{"overlap_slowdown", profile.overlap_slowdown, 1},
           Bound{"backward_factor", profile.backward_factor, 0},
           Bound{"plan_latency_us", profile.plan_latency_us, 0},
           Bound{"host_cpu_s_per_gb", profile.host_cpu_s_per_gb, 0},
           Bound{"watts.busy", profile.watts.busy, 0},
           Bound{"watts.idle", profile.watts.idle, 0},
       }) {
    const absl::Status status = CheckBound(bound);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

CostModel CostModelOf(const Profile& profile) {
  const int64_t parameters = profile.parameters_per_expert();
  // Units cancel: flops per teraflop, and bytes per GB, against us per second.
  const auto link = [](const Profile::Link& of) {
    return Link{.latency_us = of.latency_us, .us_per_byte = 1e-3 / of.gb_per_s};
  };
  return {.expert_launch_us = profile.expert_launch_us,
          .us_per_token =
              2 * static_cast<double>(parameters) / (profile.tflops * 1e6),
          .backward_factor = profile.backward_factor,
          .intra_node = link(profile.intra_node),
          .inter_node = link(profile.inter_node),
          .overlap_slowdown = profile.overlap_slowdown,
          .host_cpu_us_per_byte = profile.host_cpu_s_per_gb * 1e-3,
          .expert_bytes = parameters * profile.dtype_bytes,
          .token_bytes = profile.hidden * profile.dtype_bytes,
          .optimizer_bytes = parameters * profile.optimizer_bytes_per_parameter,
          .plan_latency_us = profile.plan_latency_us};
}

std::vector<int32_t> NodesOf(const Profile& profile, int32_t num_workers) {
  std::vector<int32_t> nodes;
  for (int32_t worker = 0; worker < num_workers; ++worker) {
    nodes.push_back(worker / profile.workers_per_node);
  }
  return nodes;
}

}  // namespace balancemoe
