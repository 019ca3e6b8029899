#ifndef BALANCEMOE_WORKER_BENCH_PLAN_BENCH_H_
#define BALANCEMOE_WORKER_BENCH_PLAN_BENCH_H_

#include <CLI/CLI.hpp>

namespace balancemoe::worker {

// Adds `plan`: how long a policy takes to plan one layer, and every worker to
// derive its part, on one core.
//
// Once parsed, runs it and throws CLI::RuntimeError with the exit code if that
// is not 0.
void AddPlanBench(CLI::App& app);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_PLAN_BENCH_H_
