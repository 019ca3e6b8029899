#ifndef BALANCEMOE_WORKER_BENCH_PLAN_REPORT_H_
#define BALANCEMOE_WORKER_BENCH_PLAN_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "worker/bench/plan_steps.h"

namespace balancemoe::worker {

struct Quantiles {
  double p50 = 0;
  double p99 = 0;
};

// One size's times.
struct PlanFigures {
  PlanSize size;
  Quantiles solve_us;
  Quantiles from_scratch_us;
  Quantiles split_us;
};

// The JSON object of `balancemoe-bench plan`: that of the size, or {"rows":
// [..]} of several. Pure, as is the next.
nlohmann::ordered_json BuildPlanReport(const PolicyChoice& choice,
                                       const std::vector<PlanFigures>& figures);

// The same for people.
std::string PlanTable(const PolicyChoice& choice,
                      const std::vector<PlanFigures>& figures);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_PLAN_REPORT_H_
