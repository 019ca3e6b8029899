#ifndef BALANCEMOE_WORKER_TRAIN_MEASURED_PROFILE_H_
#define BALANCEMOE_WORKER_TRAIN_MEASURED_PROFILE_H_

#include <cstdint>
#include <string>

#include "common/planning/cost_model.h"
#include "common/planning/profile.h"

namespace balancemoe::worker {

// What a profile says beyond the cost model that was measured.
struct ProfileFacts {
  std::string name;
  int64_t hidden = 0;
  int64_t ffn = 0;
  // SwiGLU experts.
  bool gated = false;
  // On the machine that was measured.
  int32_t workers_per_node = 1;
};

// The profile whose cost model is `cost`, of experts in fp32 under Adam. Links
// without a measurable price per byte count as 1e6 GB/s, and power is 0, for
// there is no meter. `cost` must be valid.
Profile ProfileFrom(const CostModel& cost, const ProfileFacts& facts);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_MEASURED_PROFILE_H_
