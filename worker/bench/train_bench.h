#ifndef BALANCEMOE_WORKER_BENCH_TRAIN_BENCH_H_
#define BALANCEMOE_WORKER_BENCH_TRAIN_BENCH_H_

#include <CLI/CLI.hpp>

namespace balancemoe::worker {

// Adds `train`: policies side by side, in alternating blocks of steps within
// one training job. Once parsed, runs it and throws CLI::RuntimeError with the
// exit code.
void AddTrainBench(CLI::App& app);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_TRAIN_BENCH_H_
