#ifndef BALANCEMOE_WORKER_TRAIN_TRAIN_REPORT_H_
#define BALANCEMOE_WORKER_TRAIN_TRAIN_REPORT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "worker/train/pacing.h"
#include "worker/train/step_record.h"
#include "worker/train/train_options.h"

namespace balancemoe::worker {

// What a run is known by besides its steps.
struct RunSummary {
  std::string policy;
  std::string mode;
  int32_t workers = 1;
  // Steps at the start that no time is taken from: caches and allocators fill.
  int64_t warmup_steps = 0;
  // Steps behind the checkpoint that the run went on from, if it did.
  std::optional<int64_t> resumed_from_step;
  // Hexadecimal, see docs/training.md; empty: not taken.
  std::string parameters_sha256;
  std::string optimizer_sha256;
  // Of the worker where it is largest.
  int64_t peak_rss_bytes = 0;
  std::optional<double> energy_j;
  // What was emulated, if anything.
  std::optional<Pacing> pacing;
};

// The train report of docs/training.md. Pure.
nlohmann::ordered_json BuildTrainReport(const TrainOptions& options,
                                        const RunSummary& summary,
                                        absl::Span<const StepRecord> steps);

// SHA-256 of the steps' losses as fp32, hexadecimal.
std::string LossSha256(absl::Span<const StepRecord> steps);

// Time of all MoE layers of a step, the slowest worker counting in each.
double MoeLayersMs(const StepRecord& step);

// Largest over mean number of tokens really computed by a worker, mean over the
// step's layers; 1 where no worker computed any.
double MeanImbalance(const StepRecord& step);

// Lends of all layers.
int64_t Lends(const StepRecord& step);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TRAIN_REPORT_H_
