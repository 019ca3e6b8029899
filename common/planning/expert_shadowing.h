#ifndef BALANCEMOE_COMMON_PLANNING_EXPERT_SHADOWING_H_
#define BALANCEMOE_COMMON_PLANNING_EXPERT_SHADOWING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/ids.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// FasterMoE's dynamic shadowing (PPoPP '22), as far as its two decision rules
// share it: a shadowed expert goes to all workers, each of which computes its
// own tokens of it, and gradients come home.
//
// Its prices know bandwidth alone, of one network: the slowest link that a
// broadcast to the whole group crosses.
class ExpertShadowing {
 public:
  // Both must outlive this.
  ExpertShadowing(const LayerSnapshot& snapshot, const LayerLoads& loads);

  // What the layer takes, by its price list, when `tokens` are computed at the
  // worker or expert that determines it: forward and backward compute, and two
  // exchanges in each.
  double TokensUs(int64_t tokens) const;
  // One way of one expert's parameters.
  double ParametersUs() const { return parameters_us_; }

  // Whether all others have slots for `count` more experts of `home`.
  bool HasSlots(WorkerRank home, size_t count) const;
  // Adds the broadcast of `expert` to the plan. There must be slots.
  void Shadow(ExpertId expert, LayerPlan& plan);

 private:
  const LayerLoads& loads_;
  const double token_us_;
  const double parameters_us_;
  // [W]
  std::vector<int32_t> free_slots_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_EXPERT_SHADOWING_H_
