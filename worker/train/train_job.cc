#include "worker/train/train_job.h"

#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/moe/calibration.h"
#include "worker/moe/gemm_self_test.h"
#include "worker/train/cost_model_file.h"
#include "worker/train/energy_meter.h"
#include "worker/train/process_usage.h"
#include "worker/train/progress_bar.h"
#include "worker/train/sha256.h"
#include "worker/train/train_inputs.h"
#include "worker/train/train_report.h"
#include "worker/train/trainer.h"

namespace balancemoe::worker {
namespace {

// Long enough for allocators, caches and the slots of borrowed experts.
int64_t WarmupSteps(int64_t steps) { return std::min<int64_t>(2, steps / 4); }

// The largest of all workers' `mine`.
absl::StatusOr<int64_t> Largest(int64_t mine, Transport& transport) {
  std::vector<int64_t> all(static_cast<size_t>(transport.world_size()));
  BMOE_RETURN_IF_ERROR(transport.AllGather(
      {reinterpret_cast<const std::byte*>(&mine), sizeof(mine)},
      absl::MakeSpan(reinterpret_cast<std::byte*>(all.data()),
                     all.size() * sizeof(mine)),
      ComputeStream()));
  return *std::max_element(all.begin(), all.end());
}

absl::StatusOr<RunSummary> Summarise(Trainer& trainer, Agent& agent) {
  RunSummary summary;
  const std::vector<std::string> choice = absl::StrSplit(agent.policy(), '@');
  summary.policy = choice.front();
  summary.mode = choice.back();
  summary.workers = agent.transport().world_size();
  BMOE_ASSIGN_OR_RETURN(const Trainer::Digests digests, trainer.StateDigests());
  summary.parameters_sha256 = ToHex(digests.parameters);
  summary.optimizer_sha256 = ToHex(digests.optimizer);
  BMOE_ASSIGN_OR_RETURN(summary.peak_rss_bytes,
                        Largest(PeakRssBytes(), agent.transport()));
  BMOE_ASSIGN_OR_RETURN(summary.peak_expert_bytes,
                        Largest(trainer.PeakExpertBytes(), agent.transport()));
  return summary;
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> RunTrainJob(const TrainOptions& options,
                                                   const WorkerPlace& place,
                                                   Agent& agent,
                                                   std::ostream& progress) {
  ShareCores(place.local_world_size);
  BMOE_ASSIGN_OR_RETURN(TrainInputs inputs,
                        LoadTrainInputs(options, place.world_size));
  const std::optional<Pacing> pacing = inputs.pacing;
  Trainer trainer(options, std::move(inputs), agent);
  const bool first = place.rank == WorkerRank(0);
  const absl::Status same_bits = TestGemm({options.hidden, options.ffn});
  if (first && !same_bits.ok()) progress << same_bits.message() << std::endl;
  BMOE_RETURN_IF_ERROR(GiveCostModel(options, agent));
  ProgressBar bar({.label = options.policy,
                   .steps = options.steps,
                   .terminal = place.terminal},
                  progress);
  EnergyMeter energy;
  std::optional<double> energy_j;
  std::vector<StepRecord> steps;
  for (int64_t step = 0; step < options.steps; ++step) {
    BMOE_ASSIGN_OR_RETURN(const StepRecord record, trainer.Step(step, step));
    steps.push_back(record);
    energy_j = energy.Joules();
    if (first) {
      bar.Update(step + 1, {.loss = record.loss,
                            .step_ms = record.step_ms,
                            .imbalance = MeanImbalance(record)});
    }
  }
  if (first) bar.Finish();
  BMOE_ASSIGN_OR_RETURN(RunSummary summary, Summarise(trainer, agent));
  if (!first) return nlohmann::ordered_json();
  summary.warmup_steps = WarmupSteps(options.steps);
  summary.energy_j = energy_j;
  summary.pacing = pacing;
  return BuildTrainReport(options, summary, steps);
}

absl::Status GiveCostModel(const TrainOptions& options, Agent& agent) {
  const ExpertShape shape{options.hidden, options.ffn};
  BMOE_ASSIGN_OR_RETURN(const std::optional<Pacing> pacing,
                        PacingOf(options, agent.transport().world_size()));
  if (pacing.has_value()) {
    agent.ReportCostModel(PacedCostModel(*pacing, shape.bytes()));
    return absl::OkStatus();
  }
  if (options.cost_model.empty()) {
    return Calibrate(shape, AdamBytes(shape.bytes()), agent).status();
  }
  BMOE_ASSIGN_OR_RETURN(CostModel model, ReadCostModelFile(options.cost_model));
  model.expert_bytes = shape.bytes();
  model.optimizer_bytes = AdamBytes(shape.bytes());
  model.relays = false;
  model.token_bytes = shape.hidden * static_cast<int64_t>(sizeof(float));
  agent.ReportCostModel(model);
  return absl::OkStatus();
}

void ShareCores(int32_t local_workers) {
  // What this process may use, which in a container is less than there is.
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const int cores = sched_getaffinity(0, sizeof(allowed), &allowed) == 0
                        ? CPU_COUNT(&allowed)
                        : 1;
  at::set_num_threads(std::max(1, cores / local_workers));
}

}  // namespace balancemoe::worker
