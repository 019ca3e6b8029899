#ifndef BALANCEMOE_WORKER_TRAIN_LOCAL_WORKERS_H_
#define BALANCEMOE_WORKER_TRAIN_LOCAL_WORKERS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace balancemoe::worker {

struct LocalWorkersOptions {
  int32_t workers = 1;
  // Of this program; every worker gets the same, and its place by the
  // environment.
  std::vector<std::string> arguments;
  // host:port that the workers attach to.
  std::string coordinator;
};

// Runs the workers of a job as processes of this program and waits for their
// end. What they write to standard error appears here, rank 0's as it is, the
// others' line by line with their rank. When one fails, the others are given a
// moment to say what they saw and are then ended; SIGINT and SIGTERM end them
// all. None outlives this process.
//
// Returns the exit code for this process: 0, that of the first worker that
// failed, or 128 + the signal. Call from the main thread, after
// BlockEndingSignals.
int RunLocalWorkers(const LocalWorkersOptions& options);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_LOCAL_WORKERS_H_
