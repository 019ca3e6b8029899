#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_BENCH_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_BENCH_H_

#include <CLI/CLI.hpp>

namespace balancemoe::worker {

// Adds `service`: the time from the first of N load reports sent to the last of
// N plans received, beside a bare gRPC echo of messages of the same sizes. Both
// servers are processes of their own, and rounds of both alternate within one
// run, so that whatever else the machine does meets both.
//
// Once parsed, runs it and throws CLI::RuntimeError with the exit code if that
// is not 0. Adds the echo's process as a command that help does not show.
void AddServiceBench(CLI::App& app);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_BENCH_H_
