#include "common/planning/lower_bound.h"

namespace balancemoe {

double LowerBoundUs(const LayerLoads& loads, const CostModel& cost) {
  double launches = 0;
  for (const int64_t tokens : loads.tokens_of_expert()) {
    if (tokens > 0) ++launches;
  }
  const double forward_us =
      static_cast<double>(loads.total_tokens()) * cost.us_per_token +
      launches * cost.expert_launch_us;
  return (1 + cost.backward_factor) * forward_us / loads.num_workers();
}

}  // namespace balancemoe
