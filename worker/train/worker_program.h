#ifndef BALANCEMOE_WORKER_TRAIN_WORKER_PROGRAM_H_
#define BALANCEMOE_WORKER_TRAIN_WORKER_PROGRAM_H_

#include <c10/core/Device.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/agent/agent.h"
#include "worker/train/train_options.h"
#include "worker/train/worker_place.h"

namespace balancemoe::worker {

// What the workers of a program do once their device is open and they are
// attached. Only rank 0's result
// counts.
using WorkerJob = std::function<absl::StatusOr<nlohmann::ordered_json>(
    const TrainOptions& options, const WorkerPlace& place,
    const c10::Device& device, Agent& agent)>;

// A program whose work is done by a group of workers.
struct WorkerProgram {
  // Of this process, argv.
  std::vector<std::string> arguments;
  TrainOptions options;
  WorkerJob job;
  // Takes rank 0's result, in its process.
  std::function<absl::Status(const nlohmann::ordered_json&)> finish;
};

// Runs the program in whichever part this process has: the launcher, which
// starts a coordinator, where one is wanted, and the workers, and waits for
// them; or one worker, which attaches and does the job; or, over loopback, all
// of them as threads. Returns the exit code, having said on standard error what
// went wrong.
int RunWorkerProgram(const WorkerProgram& program);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_WORKER_PROGRAM_H_
