#include "common/planning/planning_cost.h"

namespace balancemoe {
namespace {

constexpr double kFirstLookUs = 1;
constexpr double kSearchUs = 30;
// Workers times experts of the layer that takes kSearchUs.
constexpr double kSearchedPairs = 512;

}  // namespace

double PlanningUs(const PolicyChoice& choice, int32_t num_workers,
                  int32_t num_experts, bool searched, double plan_latency_us) {
  switch (TraitsOf(choice.name).planner) {
    case Planner::kNobody:
      return 0;
    case Planner::kCoordinator:
      if (choice.plans_inline()) return plan_latency_us;
      if (!choice.tops_up()) return 0;
      [[fallthrough]];
    case Planner::kEveryWorker:
      if (!searched) return kFirstLookUs;
      return kSearchUs * num_workers * num_experts / kSearchedPairs;
  }
  return 0;
}

}  // namespace balancemoe
