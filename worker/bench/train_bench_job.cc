#include "worker/bench/train_bench_job.h"

#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/planning/policy.h"
#include "common/status_macros.h"
#include "worker/bench/policy_switch.h"
#include "worker/train/process_usage.h"
#include "worker/train/progress_bar.h"
#include "worker/train/train_inputs.h"
#include "worker/train/train_job.h"
#include "worker/train/trainer.h"

namespace balancemoe::worker {
namespace {

// A policy that is not in force after so many steps never will be.
constexpr int64_t kMostSettleSteps = 50;
constexpr int64_t kWarmupSteps = 2;
// A policy that still moves experts after so many settlings always does.
constexpr int64_t kMostSettlings = 3;

class TrainBenchLoop {
 public:
  TrainBenchLoop(const TrainBenchOptions& bench, const TrainOptions& options,
                 const WorkerPlace& place, const torch::Device& device,
                 Agent& agent, TrainInputs inputs)
      : bench_(bench),
        options_(options),
        place_(place),
        device_(device),
        agent_(agent),
        pacing_(inputs.pacing),
        trainer_(options, std::move(inputs), agent, {}, device) {}

  absl::Status Warm() {
    for (int64_t step = 0; step < kWarmupSteps; ++step) {
      BMOE_RETURN_IF_ERROR(trainer_.Step(iteration_++, step).status());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<TrainBlock>> Round(int64_t round) {
    // Anew: a machine that others use too changes its pace within minutes.
    BMOE_RETURN_IF_ERROR(GiveCostModel(options_, device_, agent_));
    const Trainer::State before = trainer_.CopyState();
    Trainer::State after;
    std::vector<TrainBlock> blocks;
    for (const std::string& policy : PoliciesOfRound(bench_, round)) {
      BMOE_RETURN_IF_ERROR(SettleFrom(before, policy, round));
      TrainBlock block{policy, {}};
      for (int64_t step = 0; step < bench_.block_steps; ++step) {
        BMOE_ASSIGN_OR_RETURN(
            StepRecord record,
            trainer_.Step(iteration_++, round * bench_.block_steps + step));
        block.steps.push_back(std::move(record));
      }
      placements_[policy] = trainer_.placement();
      // The other routing learns something else.
      if (policy != kBalanced || after.parameters.empty()) {
        after = trainer_.CopyState();
      }
      blocks.push_back(std::move(block));
    }
    BMOE_RETURN_IF_ERROR(trainer_.Restore(after));
    BMOE_RETURN_IF_ERROR(CheckLosses(blocks));
    return blocks;
  }

  RunSummary Summary() const {
    RunSummary summary;
    summary.mode = "inline";
    summary.workers = place_.world_size;
    summary.peak_rss_bytes = PeakRssBytes();
    summary.pacing = pacing_;
    return summary;
  }

 private:
  // Settles with the parameters of `before`, which are the same again when
  // `policy` is in force. Its experts live where it puts them: moved away after
  // that, they would take the plan in force with them.
  absl::Status SettleFrom(const Trainer::State& before,
                          const std::string& policy, int64_t round) {
    const auto left = placements_.find(policy);
    JobPlacement homes =
        left == placements_.end() ? before.placement : left->second;
    Trainer::State start;
    for (int64_t attempt = 0; attempt < kMostSettlings; ++attempt) {
      BMOE_RETURN_IF_ERROR(trainer_.Restore(before));
      BMOE_RETURN_IF_ERROR(trainer_.MoveTo(homes));
      start = trainer_.CopyState();
      BMOE_RETURN_IF_ERROR(Settle(policy, round));
      homes = trainer_.placement();
      if (homes.home_of_expert == start.placement.home_of_expert) break;
    }
    return trainer_.Restore(start);
  }

  // Switches to `policy` and trains until it is in force, at least the settle
  // steps; what these learn is dropped. All workers see the change in the same
  // step, so they take equally many.
  absl::Status Settle(const std::string& policy, int64_t round) {
    const bool balanced = policy == kBalanced;
    if (balanced) {
      trainer_.RouteByQuota(1);
    } else {
      trainer_.RouteAsAsked();
    }
    BMOE_ASSIGN_OR_RETURN(const PolicyChoice choice,
                          ParsePolicyChoice(balanced ? kStatic : policy));
    if (place_.rank == WorkerRank(0)) {
      BMOE_RETURN_IF_ERROR(SwitchPolicy(place_.launcher_coordinator.empty()
                                            ? options_.coordinator
                                            : place_.launcher_coordinator,
                                        options_.job_id, choice.ToString()));
    }
    for (int64_t step = 0; step < kMostSettleSteps; ++step) {
      if (step >= bench_.settle_steps && agent_.policy() == choice.ToString()) {
        return absl::OkStatus();
      }
      BMOE_RETURN_IF_ERROR(trainer_.Step(iteration_++, round).status());
    }
    return absl::FailedPreconditionError(
        absl::StrCat("policy ", choice.ToString(), ": not in force after ",
                     kMostSettleSteps, " steps, but ", agent_.policy()));
  }

  const TrainBenchOptions& bench_;
  const TrainOptions& options_;
  const WorkerPlace& place_;
  const torch::Device device_;
  Agent& agent_;
  const std::optional<Pacing> pacing_;
  Trainer trainer_;
  int64_t iteration_ = 0;
  // By policy, at the end of its last block.
  std::map<std::string, JobPlacement> placements_;
};

}  // namespace

absl::StatusOr<nlohmann::ordered_json> RunTrainBench(
    const TrainBenchOptions& bench, const TrainOptions& options,
    const WorkerPlace& place, const torch::Device& device, Agent& agent) {
  BMOE_ASSIGN_OR_RETURN(TrainInputs inputs,
                        LoadTrainInputs(options, place.world_size));
  TrainBenchLoop loop(bench, options, place, device, agent, std::move(inputs));
  BMOE_RETURN_IF_ERROR(loop.Warm());
  ProgressBar bar(
      {.label = "round", .steps = bench.blocks, .terminal = place.terminal},
      std::cerr);
  std::vector<std::vector<TrainBlock>> rounds;
  for (int64_t round = 0; round < bench.blocks; ++round) {
    BMOE_ASSIGN_OR_RETURN(std::vector<TrainBlock> blocks, loop.Round(round));
    const StepRecord& last = blocks.back().steps.back();
    if (place.rank == WorkerRank(0)) {
      bar.Update(round + 1, {.loss = last.loss,
                             .step_ms = last.step_ms,
                             .imbalance = MeanImbalance(last)});
    }
    rounds.push_back(std::move(blocks));
  }
  if (place.rank != WorkerRank(0)) return nlohmann::ordered_json();
  bar.Finish();
  return BuildBenchReport(options, loop.Summary(), rounds);
}

}  // namespace balancemoe::worker
