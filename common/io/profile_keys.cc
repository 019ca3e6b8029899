#include "common/io/profile_keys.h"

namespace balancemoe {

std::vector<ProfileKey> KeysOf(Profile& profile) {
  constexpr bool kOptional = true;
  return {
      {"name", &profile.name},
      {"hidden", &profile.hidden},
      {"ffn", &profile.ffn},
      {"gated", &profile.gated, kOptional},
      {"dtype_bytes", &profile.dtype_bytes},
      {"optimizer_bytes_per_parameter", &profile.optimizer_bytes_per_parameter},
      {"tflops", &profile.tflops},
      {"expert_launch_us", &profile.expert_launch_us},
      {"intra_node.latency_us", &profile.intra_node.latency_us},
      {"intra_node.gb_per_s", &profile.intra_node.gb_per_s},
      {"inter_node.latency_us", &profile.inter_node.latency_us},
      {"inter_node.gb_per_s", &profile.inter_node.gb_per_s},
      {"workers_per_node", &profile.workers_per_node, kOptional},
      {"overlap_slowdown", &profile.overlap_slowdown, kOptional},
      {"backward_factor", &profile.backward_factor, kOptional},
      {"plan_latency_us", &profile.plan_latency_us},
      {"host_cpu_s_per_gb", &profile.host_cpu_s_per_gb, kOptional},
      {"watts.busy", &profile.watts.busy},
      {"watts.idle", &profile.watts.idle},
  };
}

}  // namespace balancemoe
