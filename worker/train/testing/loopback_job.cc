#include "worker/train/testing/loopback_job.h"

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/agent/local_agent.h"
#include "worker/expert/expert_slab.h"
#include "worker/train/train_job.h"
#include "worker/train/worker_device.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {
namespace {

absl::StatusOr<TrainReport> RunOneWorker(const TrainOptions& options,
                                         int32_t rank, int32_t workers,
                                         const JobMachine& machine,
                                         Rendezvous& rendezvous,
                                         const ThreadWorker& worker) {
  GroupOptions group;
  group.rank = WorkerRank(rank);
  group.world_size = workers;
  BMOE_ASSIGN_OR_RETURN(auto transport, machine.transport(group, rendezvous));
  LocalAgentOptions local;
  local.layers = options.layers;
  local.experts_per_layer = options.experts;
  local.expert_bytes = ExpertShape{options.hidden, options.ffn}.bytes();
  local.spare_slots = options.spare_slots;
  local.ends_steps = true;
  local.policy = options.policy;
  BMOE_ASSIGN_OR_RETURN(const std::unique_ptr<Agent> agent,
                        LocalAgent::Create(local, std::move(transport)));
  WorkerPlace place;
  place.rank = WorkerRank(rank);
  place.world_size = workers;
  place.local_world_size = workers;
  ShareCores(place.local_world_size);
  return worker(options, place, machine.device(group.rank), *agent);
}

std::string WriteCostModel() {
  const std::string path =
      absl::StrCat(std::filesystem::temp_directory_path().string(),
                   "/loopback_job_", getpid(), ".yaml");
  std::ofstream(path) << "us_per_token: 10\nlink_us_per_byte: 1e-6\n";
  return path;
}

}  // namespace

TrainOptions SmallModel() {
  TrainOptions options;
  options.steps = 8;
  options.batch = 2;
  options.seq = 24;
  options.layers = 2;
  options.hidden = 32;
  options.ffn = 48;
  options.heads = 4;
  options.experts = 8;
  options.top_k = 2;
  return options;
}

absl::StatusOr<TrainReport> RunInThreads(TrainOptions options, int32_t workers,
                                         const JobMachine& machine,
                                         const ThreadWorker& worker) {
  options.cost_model = WriteCostModel();
  LocalRendezvous rendezvous;
  std::vector<absl::StatusOr<TrainReport>> reports(
      static_cast<size_t>(workers));
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < workers; ++rank) {
    threads.emplace_back([&, rank] {
      reports[static_cast<size_t>(rank)] =
          RunOneWorker(options, rank, workers, machine, rendezvous, worker);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::filesystem::remove(options.cost_model);
  for (const auto& report : reports) BMOE_RETURN_IF_ERROR(report.status());
  return reports[0];
}

absl::StatusOr<TrainReport> RunTrainJobQuietly(const TrainOptions& options,
                                               const WorkerPlace& place,
                                               const torch::Device& device,
                                               Agent& agent) {
  std::ostringstream progress;
  return RunTrainJob(options, place, device, agent, progress);
}

absl::StatusOr<TrainReport> RunOverLoopback(const TrainOptions& options,
                                            int32_t workers,
                                            const ThreadWorker& worker) {
  LoopbackHub hub;
  const JobMachine processors = {
      .transport = hub.Factory(),
      .device = [](WorkerRank) { return torch::Device(torch::kCPU); }};
  return RunInThreads(options, workers, processors, worker);
}

absl::StatusOr<TrainReport> TrainOverLoopback(const TrainOptions& options,
                                              int32_t workers) {
  return RunOverLoopback(options, workers, &RunTrainJobQuietly);
}

}  // namespace balancemoe::worker
