#ifndef BALANCEMOE_WORKER_BENCH_PLAN_OPTIONS_H_
#define BALANCEMOE_WORKER_BENCH_PLAN_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/planning/policy.h"
#include "worker/bench/plan_steps.h"

namespace balancemoe::worker {

// What people may set about `balancemoe-bench plan`.
struct PlanOptions {
  // 0: not set. Neither set: three sizes.
  int32_t workers = 0;
  int32_t experts = 0;
  std::string policy = "adaptive";
  // Successive plans of each size.
  int64_t plans = 1000;
  // "text" or "json"
  std::string output = "text";

  // Follow from the rest.
  PolicyChoice choice;
  std::vector<PlanSize> sizes;
};

// `options` must outlive `app`.
void AddPlanFlags(CLI::App& app, PlanOptions& options);

// Fills in what follows from the flags.
//
// Errors: InvalidArgument, naming the flag and what would be right.
absl::Status CompletePlanOptions(PlanOptions& options);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_PLAN_OPTIONS_H_
