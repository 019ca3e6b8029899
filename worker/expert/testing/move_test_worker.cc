// One worker of move_process_test: moves experts over Gloo and tells what it
// holds afterwards. Dies by SIGKILL at the point that it is told.
//
//   move_test_worker FOLDER RANK WORLD_SIZE POINT
//
// POINT is the number of a MovePoint, or -1 to live. Prints one line:
//   STATUS committed|stayed EXPERT:CHECKSUM ...
#include <signal.h>
#include <torch/utils.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/planning/layer_snapshot.h"
#include "worker/expert/move_executor.h"
#include "worker/transport/gloo/gloo_transport.h"
#include "worker/transport/testing/file_rendezvous.h"

namespace balancemoe::worker {
namespace {

constexpr int32_t kExperts = 6;

// Parameters, moments and steps of an expert differ from those of all others.
std::shared_ptr<ExpertStore> MakeStore(WorkerRank rank, int32_t world_size) {
  auto store = std::make_shared<ExpertStore>(ExpertStore::Options{
      .layer = LayerId(0),
      .shape = {.hidden = 64, .ffn = 256},
      .rank = rank,
      .home_of_expert = ContiguousPlacement(world_size, kExperts),
      .seed = 1,
      .moments = 2});
  const torch::NoGradGuard no_grad;
  for (const ExpertId expert : store->home_experts()) {
    for (size_t i = 0; i < ExpertTensors::kNames.size(); ++i) {
      store->Moment(expert, 0).all[i].fill_(expert.value() + 0.25);
      store->Moment(expert, 1).all[i].fill_(expert.value() + 0.5);
    }
    store->Steps(expert).fill_(7 + expert.value());
  }
  return store;
}

std::string Holdings(const ExpertStore& store) {
  std::string line;
  for (const ExpertId expert : store.home_experts()) {
    uint64_t sum = 0;
    for (const absl::Span<std::byte> part : store.StateBytes(expert)) {
      sum = sum * 31 + Checksum(part);
    }
    absl::StrAppend(&line, " ", expert.value(), ":", sum);
  }
  return line;
}

int Run(const std::string& folder, int32_t rank, int32_t world_size,
        int32_t die_at) {
  FileRendezvous rendezvous(folder);
  const auto transport = GlooFactory()({.rank = WorkerRank(rank),
                                        .world_size = world_size,
                                        .connect_timeout = absl::Seconds(30)},
                                       rendezvous);
  if (!transport.ok()) {
    std::printf("%s\n", transport.status().ToString().c_str());
    return 1;
  }
  const auto store = MakeStore(WorkerRank(rank), world_size);
  const auto observer = [&](MovePoint point, absl::Span<std::byte>) {
    // "After" means that all have committed, not this one alone.
    if (point == MovePoint::kAfterCommit) {
      (*transport)->Barrier().IgnoreError();
    }
    if (static_cast<int32_t>(point) == die_at) raise(SIGKILL);
  };
  // A ring: every worker sends its first expert on.
  std::vector<Move> moves;
  for (int32_t from = 0; from < world_size; ++from) {
    moves.push_back({ExpertId(from * kExperts / world_size), WorkerRank(from),
                     WorkerRank((from + 1) % world_size)});
  }
  const auto outcome =
      MoveExperts({{store.get(), moves}}, **transport, observer);
  // Whoever is alive hears of a death in the next collective at the latest.
  const absl::Status status =
      outcome.ok() ? (*transport)->Barrier() : outcome.status();
  std::printf("%s %s%s\n", absl::StatusCodeToString(status.code()).c_str(),
              outcome.ok() && outcome->committed ? "committed" : "stayed",
              Holdings(*store).c_str());
  return 0;
}

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  return balancemoe::worker::Run(argv[1], std::atoi(argv[2]),
                                 std::atoi(argv[3]), std::atoi(argv[4]));
}
