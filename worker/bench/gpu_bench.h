#ifndef BALANCEMOE_WORKER_BENCH_GPU_BENCH_H_
#define BALANCEMOE_WORKER_BENCH_GPU_BENCH_H_

#include <CLI/CLI.hpp>

namespace balancemoe::worker {

// Adds `gpu`: how fast a GPU computes a layer's experts, one after the other
// and grouped. What overlaps there, `train --device cuda` tells.
//
// Once parsed, runs it and throws CLI::RuntimeError with the exit code if that
// is not 0.
void AddGpuBench(CLI::App& app);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_GPU_BENCH_H_
