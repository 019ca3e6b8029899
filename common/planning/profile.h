#ifndef BALANCEMOE_COMMON_PLANNING_PROFILE_H_
#define BALANCEMOE_COMMON_PLANNING_PROFILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/planning/cost_model.h"

namespace balancemoe {

// A model and the machine that it trains on, as replay and paced runs need it.
// Field by field the profile file of docs/replay.md; defaults are for fields
// that a file may leave out.
struct Profile {
  struct Link {
    double latency_us = 0;
    double gb_per_s = 0;

    bool operator==(const Link&) const = default;
  };
  struct Watts {
    double busy = 0;
    double idle = 0;

    bool operator==(const Watts&) const = default;
  };

  std::string name;
  // Model width d and expert width d_ff.
  int64_t hidden = 0;
  int64_t ffn = 0;
  // Three matrices per expert instead of two.
  bool gated = false;
  int64_t dtype_bytes = 0;
  // Optimizer state: master copy and moments.
  int64_t optimizer_bytes_per_parameter = 0;
  // Reached in expert GEMMs.
  double tflops = 0;
  // Fixed cost of one expert in one pass.
  double expert_launch_us = 0;
  Link intra_node;
  Link inter_node;
  int32_t workers_per_node = 1;
  double overlap_slowdown = 1;
  double backward_factor = 2;
  // Gather, solve and push of an inline plan by the coordinator.
  double plan_latency_us = 0;
  // Processor seconds per GB (1e9 bytes) taken from the compute of each end.
  double host_cpu_s_per_gb = 0;
  Watts watts;

  int64_t parameters_per_expert() const {
    return (gated ? 3 : 2) * hidden * ffn;
  }

  bool operator==(const Profile&) const = default;
};

// Errors: InvalidArgument, naming the key, its value and what would be right.
absl::Status ValidateProfile(const Profile& profile);

// What the timing rule needs of a profile. `profile` must be valid.
CostModel CostModelOf(const Profile& profile);

// Node of each of `num_workers` workers, [W]: consecutive ranks share a node.
std::vector<int32_t> NodesOf(const Profile& profile, int32_t num_workers);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PROFILE_H_
