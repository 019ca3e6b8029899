#include "worker/train/train_job.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "worker/moe/calibration.h"
#include "worker/moe/gemm_self_test.h"
#include "worker/train/cost_model_file.h"
#include "worker/train/energy_meter.h"
#include "worker/train/job_checkpoints.h"
#include "worker/train/model_shape.h"
#include "worker/train/pacing.h"
#include "worker/train/process_usage.h"
#include "worker/train/progress_bar.h"
#include "worker/train/sha256.h"
#include "worker/train/train_inputs.h"
#include "worker/train/train_report.h"
#include "worker/train/trainer.h"
#include "worker/transport/gather_all.h"

namespace balancemoe::worker {
namespace {

// Long enough for allocators, caches and the slots of borrowed experts.
int64_t WarmupSteps(int64_t steps) { return std::min<int64_t>(2, steps / 4); }

// The largest of all workers' `mine`.
absl::StatusOr<int64_t> Largest(int64_t mine, Transport& transport) {
  BMOE_ASSIGN_OR_RETURN(const std::vector<int64_t> all,
                        GatherAll<int64_t>({mine}, transport));
  return *std::max_element(all.begin(), all.end());
}

// What the steps of a run came to.
struct StepsTaken {
  int64_t first_step = 0;
  // Of rank 0, which writes the report; others would only fill their memory.
  std::vector<StepRecord> steps;
  std::optional<double> energy_j;
};

// From the checkpoint, if there is one, to --steps.
absl::StatusOr<StepsTaken> TakeSteps(const TrainOptions& options,
                                     const WorkerPlace& place, Agent& agent,
                                     Trainer& trainer, std::ostream& progress) {
  StepsTaken taken;
  JobCheckpoints checkpoints(options, agent.transport());
  BMOE_ASSIGN_OR_RETURN(taken.first_step, checkpoints.Begin(trainer));
  const bool first = place.rank == WorkerRank(0);
  if (first && options.resume) {
    progress << (taken.first_step == 0
                     ? absl::StrCat("no checkpoint in ", options.checkpoint_dir,
                                    ": starting at step 0")
                     : absl::StrCat("going on after step ", taken.first_step))
             << std::endl;
  }
  ProgressBar bar({.label = options.policy,
                   .steps = options.steps,
                   .terminal = place.terminal},
                  progress);
  EnergyMeter energy;
  for (int64_t step = taken.first_step; step < options.steps; ++step) {
    BMOE_ASSIGN_OR_RETURN(const StepRecord record, trainer.Step(step, step));
    if (first) taken.steps.push_back(record);
    taken.energy_j = energy.Joules();
    if (first) {
      bar.Update(step + 1, {.loss = record.loss,
                            .step_ms = record.step_ms,
                            .imbalance = MeanImbalance(record)});
    }
    BMOE_RETURN_IF_ERROR(checkpoints.AfterStep(step + 1, trainer));
  }
  if (first) bar.Finish();
  return taken;
}

absl::StatusOr<RunSummary> Summarise(const TrainOptions& options,
                                     const StepsTaken& taken, Trainer& trainer,
                                     Agent& agent) {
  RunSummary summary;
  const std::vector<std::string> choice = absl::StrSplit(agent.policy(), '@');
  summary.policy = choice.front();
  summary.mode = choice.back();
  summary.workers = agent.transport().world_size();
  summary.warmup_steps = WarmupSteps(options.steps - taken.first_step);
  if (taken.first_step > 0) summary.resumed_from_step = taken.first_step;
  summary.energy_j = taken.energy_j;
  BMOE_ASSIGN_OR_RETURN(const Trainer::Digests digests, trainer.StateDigests());
  summary.parameters_sha256 = ToHex(digests.parameters);
  summary.optimizer_sha256 = ToHex(digests.optimizer);
  BMOE_ASSIGN_OR_RETURN(summary.peak_rss_bytes,
                        Largest(PeakRssBytes(), agent.transport()));
  return summary;
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> RunTrainJob(const TrainOptions& options,
                                                   const WorkerPlace& place,
                                                   const torch::Device& device,
                                                   Agent& agent,
                                                   std::ostream& progress) {
  BMOE_ASSIGN_OR_RETURN(TrainInputs inputs,
                        LoadTrainInputs(options, place.world_size));
  const std::optional<Pacing> pacing = inputs.pacing;
  Trainer trainer(options, std::move(inputs), agent, {}, device);
  const bool first = place.rank == WorkerRank(0);
  // A GPU chooses its kernels by the number of rows, of which a lend keeps all.
  const absl::Status same_bits =
      device.is_cpu() ? TestGemm(ExpertShapeOf(options)) : absl::OkStatus();
  if (first && !same_bits.ok()) progress << same_bits.message() << std::endl;
  BMOE_RETURN_IF_ERROR(GiveCostModel(options, device, agent));
  BMOE_ASSIGN_OR_RETURN(const StepsTaken taken,
                        TakeSteps(options, place, agent, trainer, progress));
  BMOE_ASSIGN_OR_RETURN(RunSummary summary,
                        Summarise(options, taken, trainer, agent));
  summary.pacing = pacing;
  if (!first) return nlohmann::ordered_json();
  return BuildTrainReport(options, summary, taken.steps);
}

absl::StatusOr<CostModel> CalibrateFor(const TrainOptions& options,
                                       const torch::Device& device,
                                       Agent& agent) {
  const ExpertShape shape = ExpertShapeOf(options);
  return Calibrate({.shape = shape,
                    .optimizer_bytes = AdamBytes(shape.bytes()),
                    .kernels = KernelsOf(options),
                    .device = device},
                   agent);
}

absl::Status GiveCostModel(const TrainOptions& options,
                           const torch::Device& device, Agent& agent) {
  const ExpertShape shape = ExpertShapeOf(options);
  BMOE_ASSIGN_OR_RETURN(const std::optional<Pacing> pacing, PacingOf(options));
  if (pacing.has_value()) {
    agent.ReportCostModel(PacedCostModel(*pacing, shape.bytes()));
    return absl::OkStatus();
  }
  if (options.cost_model.empty()) {
    return CalibrateFor(options, device, agent).status();
  }
  BMOE_ASSIGN_OR_RETURN(CostModel model, ReadCostModelFile(options.cost_model));
  model.expert_bytes = shape.bytes();
  model.optimizer_bytes = AdamBytes(shape.bytes());
  model.token_bytes = shape.hidden * static_cast<int64_t>(sizeof(float));
  agent.ReportCostModel(model);
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
