#include "worker/train/measured_profile.h"

#include <algorithm>

namespace balancemoe::worker {
namespace {

Profile::Link LinkOf(const Link& link) {
  constexpr double kFastestUsPerByte = 1e-9;
  return {.latency_us = link.latency_us,
          .gb_per_s = 1e-3 / std::max(link.us_per_byte, kFastestUsPerByte)};
}

}  // namespace

Profile ProfileFrom(const CostModel& cost, const ProfileFacts& facts) {
  Profile profile;
  profile.name = facts.name;
  profile.hidden = facts.hidden;
  profile.ffn = facts.ffn;
  profile.gated = facts.gated;
  profile.dtype_bytes = sizeof(float);
  // Adam's two moments.
  profile.optimizer_bytes_per_parameter = 2 * sizeof(float);
  profile.tflops = 2 * static_cast<double>(profile.parameters_per_expert()) /
                   (cost.us_per_token * 1e6);
  profile.expert_launch_us = cost.expert_launch_us;
  profile.intra_node = LinkOf(cost.intra_node);
  profile.inter_node = LinkOf(cost.inter_node);
  profile.workers_per_node = facts.workers_per_node;
  profile.overlap_slowdown = cost.overlap_slowdown;
  profile.backward_factor = cost.backward_factor;
  profile.plan_latency_us = cost.plan_latency_us;
  profile.host_cpu_s_per_gb = cost.host_cpu_us_per_byte * 1e3;
  return profile;
}

}  // namespace balancemoe::worker
