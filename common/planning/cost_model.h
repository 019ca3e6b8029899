#ifndef BALANCEMOE_COMMON_PLANNING_COST_MODEL_H_
#define BALANCEMOE_COMMON_PLANNING_COST_MODEL_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"

namespace balancemoe {

// How many workers a transfer can reach, and at which price.
enum class LinkClass { kIntraNode = 0, kInterNode = 1 };
inline constexpr size_t kLinkClasses = 2;

// A transfer over it takes latency_us + bytes * us_per_byte.
struct Link {
  double latency_us = 0;
  double us_per_byte = 0;

  double TransferUs(double bytes) const {
    return latency_us + bytes * us_per_byte;
  }

  bool operator==(const Link&) const = default;
};

// What computing and moving cost on the machines of one job. Times are in
// microseconds, as doubles: policies add and compare thousands of them.
//
// Measured by the agents at attach; see docs/planning.md for the timing rule
// that joins these numbers.
struct CostModel {
  // Fixed cost of one expert with at least one token, in one forward pass.
  double expert_launch_us = 0;
  // Forward time of one token in one expert.
  double us_per_token = 0;
  // Backward time over forward time.
  double backward_factor = 2;
  // Between workers of one node, and of different nodes.
  Link intra_node = {};
  Link inter_node = {};
  // How much longer compute takes while a transfer of that worker is under way.
  double overlap_slowdown = 1;
  // Processor time taken from the compute of each end per byte transferred; 0
  // where DMA engines move data.
  double host_cpu_us_per_byte = 0;
  // Bytes of one expert's parameters.
  int64_t expert_bytes = 0;
  // Bytes of one token's activation in the all-to-all, hidden * dtype size.
  int64_t token_bytes = 0;
  // Bytes of one expert's optimizer state, which a move takes along.
  int64_t optimizer_bytes = 0;
  // What an inline plan of the coordinator costs: gather, solve, push.
  double plan_latency_us = 0;
  // How many forward times of a layer transfers planned ahead may start before
  // it; not measured, see OfLayer.
  double head_start = 1;

  const Link& link(LinkClass link_class) const {
    return link_class == LinkClass::kIntraNode ? intra_node : inter_node;
  }

  bool operator==(const CostModel&) const = default;
};

// Errors: InvalidArgument, naming the field: not finite, negative, a slowdown
// under 1, or a us_per_token of 0.
absl::Status ValidateCostModel(const CostModel& model);

// That of one layer of a job. A step begins with the first one, so that its
// transfers have no head start; each of the others follows a layer like itself.
CostModel OfLayer(const CostModel& job, LayerId layer);

// The model of a job, from those that its workers measured: the mean of each
// measured field, added up in the given order; sizes are those of the first.
// Valid when all `models` are, of which there must be one at least.
CostModel MeanCostModel(absl::Span<const CostModel> models);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_COST_MODEL_H_
