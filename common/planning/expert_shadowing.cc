#include "common/planning/expert_shadowing.h"

#include <algorithm>
#include <cstddef>
#include <functional>

namespace balancemoe {
namespace {

double NetworkUsPerByte(const LayerSnapshot& snapshot) {
  const std::vector<int32_t>& nodes = snapshot.node_of_worker;
  const bool one_node =
      std::adjacent_find(nodes.begin(), nodes.end(), std::not_equal_to<>()) ==
      nodes.end();
  const CostModel& cost = snapshot.cost;
  if (one_node) return cost.intra_node.us_per_byte;
  return std::max(cost.intra_node.us_per_byte, cost.inter_node.us_per_byte);
}

}  // namespace

ExpertShadowing::ExpertShadowing(const LayerSnapshot& snapshot,
                                 const LayerLoads& loads)
    : loads_(loads),
      token_us_((1 + snapshot.cost.backward_factor) *
                    snapshot.cost.us_per_token +
                4 * static_cast<double>(snapshot.cost.token_bytes) *
                    NetworkUsPerByte(snapshot)),
      parameters_us_(static_cast<double>(snapshot.cost.expert_bytes) *
                     NetworkUsPerByte(snapshot)),
      free_slots_(UsableSlots(snapshot)) {}

double ExpertShadowing::TokensUs(int64_t tokens) const {
  return static_cast<double>(tokens) * token_us_;
}

bool ExpertShadowing::HasSlots(WorkerRank home, size_t count) const {
  for (size_t i = 0; i < free_slots_.size(); ++i) {
    if (i == home.index()) continue;
    if (static_cast<size_t>(free_slots_[i]) < count) return false;
  }
  return true;
}

void ExpertShadowing::Shadow(ExpertId expert, LayerPlan& plan) {
  const WorkerRank home = loads_.home(expert);
  for (int32_t i = 0; i < loads_.num_workers(); ++i) {
    const WorkerRank worker(i);
    if (worker == home) continue;
    --free_slots_[worker.index()];
    plan.lends.push_back({expert, home, worker, loads_.At(worker, expert)});
  }
}

}  // namespace balancemoe
