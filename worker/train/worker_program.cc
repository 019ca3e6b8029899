#include "worker/train/worker_program.h"

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "worker/train/embedded_coordinator.h"
#include "worker/train/local_workers.h"
#include "worker/train/model_shape.h"
#include "worker/train/nccl_workers.h"
#include "worker/train/paced_agent.h"
#include "worker/train/pacing.h"
#include "worker/train/process_usage.h"
#include "worker/train/worker_device.h"
#include "worker/transport/delayed_transport.h"
#include "worker/transport/gloo/gloo_transport.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;
constexpr int kNoCoordinator = 4;

// Without --workers and without a launcher's environment.
constexpr int32_t kDefaultWorkers = 2;

int Fail(absl::string_view who, const absl::Status& status) {
  std::cerr << absl::StrCat(who, ": ", status.message(), "\n");
  return absl::IsInvalidArgument(status) ? kWrongUse : kFailed;
}

AgentOptions AgentOptionsOf(const TrainOptions& options,
                            const WorkerPlace& place,
                            TransportFactory transport) {
  AgentOptions agent;
  agent.coordinator = place.launcher_coordinator.empty()
                          ? options.coordinator
                          : place.launcher_coordinator;
  agent.job_id = options.job_id;
  agent.run_id = place.run_id;
  agent.rank = place.rank;
  agent.world_size = place.world_size;
  agent.layers = options.layers;
  agent.experts_per_layer = options.experts;
  agent.expert_bytes = ExpertShapeOf(options).bytes();
  agent.spare_slots = options.spare_slots;
  agent.node = place.node;
  agent.ends_steps = true;
  agent.policy = options.policy;
  agent.transport = std::move(transport);
  agent.attach_timeout = absl::Seconds(options.attach_timeout_s);
  agent.plan_deadline = absl::Milliseconds(options.plan_deadline_ms);
  return agent;
}

// A link of the emulated machine.
LinkDelay DelayOf(const TrainOptions& options, const Pacing& pacing,
                  LinkClass link_class) {
  const CostModel cost = PacedCostModel(pacing, ExpertShapeOf(options).bytes());
  const Link& link = cost.link(link_class);
  LinkDelay delay;
  delay.latency = absl::Microseconds(link.latency_us);
  delay.bandwidth_bytes_per_s = 1e6 / link.us_per_byte;
  const auto row_bytes =
      static_cast<double>(options.hidden) * static_cast<double>(sizeof(float));
  delay.exchange_seconds_per_byte =
      PacedExchangeUsPerToken(pacing, link_class) / row_bytes / 1e6;
  return delay;
}

TransportFactory Paced(TransportFactory transport, const TrainOptions& options,
                       const Pacing& pacing, int32_t workers) {
  DelayedNodes nodes;
  for (int32_t rank = 0; rank < workers; ++rank) {
    nodes.node_of_rank.push_back(PacedNode(pacing, WorkerRank(rank)));
  }
  nodes.between = DelayOf(options, pacing, LinkClass::kInterNode);
  return DelayedFactory(std::move(transport),
                        DelayOf(options, pacing, LinkClass::kIntraNode), nodes);
}

absl::StatusOr<nlohmann::ordered_json> RunPaced(const WorkerProgram& program,
                                                const WorkerPlace& place,
                                                const torch::Device& device,
                                                Agent& agent,
                                                const Pacing& pacing) {
  PacedAgent paced(agent, pacing.profile.plan_latency_us, pacing.scale);
  return program.job(program.options, place, device, paced);
}

int RunWorker(const WorkerProgram& program, const WorkerPlace& place,
              TransportFactory transport) {
  const std::string who = absl::StrCat("worker ", place.rank.value());
  const auto pacing = PacingOf(program.options);
  if (!pacing.ok()) return Fail(who, pacing.status());
  if (pacing->has_value()) {
    transport = Paced(std::move(transport), program.options, **pacing,
                      place.world_size);
  }
  // Before anything else of Torch is used, and before the others wait for this
  // one.
  const auto device = OpenWorkerDevice(program.options, place);
  if (!device.ok()) return Fail(who, device.status());
  ShareCores(place.local_world_size);
  AgentOptions options =
      AgentOptionsOf(program.options, place, std::move(transport));
  if (pacing->has_value()) options.node = PacedNode(**pacing, place.rank);
  auto agent = Agent::Attach(std::move(options));
  if (!agent.ok()) {
    const int code = Fail(who, agent.status());
    return absl::IsUnavailable(agent.status()) ? kNoCoordinator : code;
  }
  const auto result =
      pacing->has_value()
          ? RunPaced(program, place, *device, **agent, **pacing)
          : program.job(program.options, place, *device, **agent);
  if (!result.ok()) return Fail(who, result.status());
  if (place.rank != WorkerRank(0)) return 0;
  const absl::Status finished = program.finish(*result);
  return finished.ok() ? 0 : Fail(who, finished);
}

// The workers as threads of this process.
class LoopbackWorkersLoop {
 public:
  explicit LoopbackWorkersLoop(const WorkerProgram& program)
      : program_(program) {}
  ~LoopbackWorkersLoop() { Join(); }

  // Returns the first exit code that is not 0, or 0.
  int Run(const WorkerPlace& process) {
    const int32_t workers = *program_.options.workers;
    exit_codes_.resize(static_cast<size_t>(workers));
    for (int32_t rank = 0; rank < workers; ++rank) {
      WorkerPlace place = process;
      place.rank = WorkerRank(rank);
      place.world_size = workers;
      place.local_world_size = workers;
      threads_.emplace_back([this, place] {
        pthread_setname_np(pthread_self(),
                           absl::StrCat("worker-", place.rank.value()).c_str());
        exit_codes_[place.rank.index()] =
            RunWorker(program_, place, hub_.Factory());
      });
    }
    Join();
    for (const int code : exit_codes_) {
      if (code != 0) return code;
    }
    return 0;
  }

 private:
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  const WorkerProgram& program_;
  LoopbackHub hub_;
  std::vector<int> exit_codes_;
  std::vector<std::thread> threads_;
};

int RunLauncher(const WorkerProgram& program) {
  BlockEndingSignals();
  LocalWorkersOptions workers;
  // Over loopback one process holds them all.
  workers.workers =
      program.options.transport == "loopback" ? 1 : *program.options.workers;
  workers.arguments = program.arguments;
  workers.coordinator = program.options.coordinator;
  std::unique_ptr<EmbeddedCoordinator> coordinator;
  if (program.options.coordinator == "embedded") {
    auto started =
        EmbeddedCoordinator::Start({.report_deadline = absl::Milliseconds(
                                        program.options.report_deadline_ms)});
    if (!started.ok()) {
      std::cerr << absl::StrCat(started.status().message(), "\n");
      return kNoCoordinator;
    }
    coordinator = *std::move(started);
    workers.coordinator = coordinator->grpc_address();
  }
  return RunLocalWorkers(workers);
}

}  // namespace

int RunWorkerProgram(const WorkerProgram& asked) {
  WorkerProgram program = asked;
  TrainOptions& options = program.options;
  const auto place = WorkerPlaceFromEnvironment();
  if (!place.ok()) return Fail(program.arguments[0], place.status());
  const bool launched =
      place->has_value() && !(*place)->launcher_coordinator.empty();
  if (!options.workers.has_value()) {
    // Over loopback one process holds all workers, whoever started it.
    if (!place->has_value() || (launched && options.transport == "loopback")) {
      options.workers = kDefaultWorkers;
    } else if (launched) {
      options.workers = (*place)->world_size;
    }
  }
  const absl::Status valid = ValidateTrainOptions(
      options,
      options.workers.value_or(place->has_value() ? (*place)->world_size : 1));
  if (!valid.ok()) return Fail(program.arguments[0], valid);
  if (options.workers.has_value() && !launched) return RunLauncher(program);

  KeepFreedMemory();
  if (options.transport == "loopback") {
    return LoopbackWorkersLoop(program).Run(**place);
  }
  if (options.transport == "nccl") {
    auto nccl = NcclWorkers(options, **place);
    if (!nccl.ok()) return Fail(program.arguments[0], nccl.status());
    return RunWorker(program, **place, *std::move(nccl));
  }
  return RunWorker(program, **place,
                   GlooFactory({.address = options.address, .interface = ""}));
}

}  // namespace balancemoe::worker
