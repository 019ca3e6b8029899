#ifndef BALANCEMOE_WORKER_TRAIN_WORKER_PLACE_H_
#define BALANCEMOE_WORKER_TRAIN_WORKER_PLACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"

namespace balancemoe::worker {

// Which worker of a run this process is, as whoever started it says by the
// environment: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE and GROUP_RANK
// (the machine) as torchrun, Slurm and MPI launchers set them, and what our own
// launcher adds.
struct WorkerPlace {
  WorkerRank rank;
  int32_t world_size = 1;
  // Workers on this machine, who share its cores.
  int32_t local_world_size = 1;
  // Of this worker among them.
  int32_t local_rank = 0;
  // Of this machine among those of the run.
  int32_t node = 0;
  // The same for all workers of one run.
  std::string run_id;
  // host:port of the coordinator that our own launcher chose; empty: another
  // launcher, and the flag counts.
  std::string launcher_coordinator;
  // Whether standard error ends at a terminal, perhaps through the launcher.
  bool terminal = false;
};

// None when RANK and WORLD_SIZE are not set.
//
// Errors: InvalidArgument, naming the variable, when one is set without the
// other or to what makes no sense.
absl::StatusOr<std::optional<WorkerPlace>> WorkerPlaceFromEnvironment();

// What WorkerPlaceFromEnvironment in a child process turns into `place` again.
std::vector<std::pair<std::string, std::string>> ToEnvironment(
    const WorkerPlace& place);

// Different for every call on every machine.
std::string NewRunId();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_WORKER_PLACE_H_
