#include "worker/train/worker_place.h"

#include <unistd.h>

#include <cstdlib>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

constexpr char kRunId[] = "BALANCEMOE_RUN_ID";
constexpr char kCoordinator[] = "BALANCEMOE_LAUNCHER_COORDINATOR";
constexpr char kTerminal[] = "BALANCEMOE_LAUNCHER_TERMINAL";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<int32_t> Number(const char* name, int32_t least) {
  const std::string text = Variable(name);
  int32_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < least) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment variable ", name, ": '", text,
                     "' is not a number of at least ", least));
  }
  return number;
}

// What the launchers of others call a run. torchrun gives a run started again
// after a failure the same name, so its count of restarts belongs to it.
std::string RunId() {
  if (const std::string id = Variable(kRunId); !id.empty()) return id;
  if (const std::string id = Variable("TORCHELASTIC_RUN_ID"); !id.empty()) {
    return absl::StrCat(id, "-", Variable("TORCHELASTIC_RESTART_COUNT"));
  }
  return absl::StrCat(Variable("MASTER_ADDR"), "-", Variable("MASTER_PORT"),
                      "-", Variable("SLURM_JOB_ID"));
}

}  // namespace

absl::StatusOr<std::optional<WorkerPlace>> WorkerPlaceFromEnvironment() {
  if (Variable("RANK").empty() && Variable("WORLD_SIZE").empty()) {
    return std::nullopt;
  }
  WorkerPlace place;
  BMOE_ASSIGN_OR_RETURN(const int32_t rank, Number("RANK", 0));
  BMOE_ASSIGN_OR_RETURN(place.world_size, Number("WORLD_SIZE", 1));
  if (rank >= place.world_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment variable RANK: ", rank,
                     " is not below WORLD_SIZE ", place.world_size));
  }
  place.rank = WorkerRank(rank);
  place.local_world_size = place.world_size;
  if (!Variable("LOCAL_WORLD_SIZE").empty()) {
    BMOE_ASSIGN_OR_RETURN(place.local_world_size,
                          Number("LOCAL_WORLD_SIZE", 1));
  }
  place.local_rank = rank % place.local_world_size;
  if (!Variable("LOCAL_RANK").empty()) {
    BMOE_ASSIGN_OR_RETURN(place.local_rank, Number("LOCAL_RANK", 0));
  }
  if (!Variable("GROUP_RANK").empty()) {
    BMOE_ASSIGN_OR_RETURN(place.node, Number("GROUP_RANK", 0));
  }
  place.run_id = RunId();
  place.launcher_coordinator = Variable(kCoordinator);
  place.terminal = Variable(kTerminal) == "1" || isatty(STDERR_FILENO) == 1;
  return place;
}

std::vector<std::pair<std::string, std::string>> ToEnvironment(
    const WorkerPlace& place) {
  return {{"RANK", absl::StrCat(place.rank.value())},
          {"LOCAL_RANK", absl::StrCat(place.local_rank)},
          {"WORLD_SIZE", absl::StrCat(place.world_size)},
          {"LOCAL_WORLD_SIZE", absl::StrCat(place.local_world_size)},
          {"GROUP_RANK", absl::StrCat(place.node)},
          {kRunId, place.run_id},
          {kCoordinator, place.launcher_coordinator},
          {kTerminal, place.terminal ? "1" : "0"}};
}

std::string NewRunId() {
  std::random_device device;
  const uint64_t high = device();
  return absl::StrCat(absl::Hex((high << 32) | device(), absl::kZeroPad16));
}

}  // namespace balancemoe::worker
