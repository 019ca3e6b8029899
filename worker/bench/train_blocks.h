#ifndef BALANCEMOE_WORKER_BENCH_TRAIN_BLOCKS_H_
#define BALANCEMOE_WORKER_BENCH_TRAIN_BLOCKS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/train/step_record.h"
#include "worker/train/train_options.h"
#include "worker/train/train_report.h"

namespace balancemoe::worker {

// What `balancemoe-bench train` is asked to do besides the model.
struct TrainBenchOptions {
  // Policies of the coordinator, and "balanced": static with a perfectly
  // balanced gate.
  std::vector<std::string> policies = {"static", "pairwise", "balanced"};
  // Per policy.
  int64_t blocks = 20;
  int64_t block_steps = 5;
  // Unmeasured, after each switch.
  int64_t settle_steps = 2;
};

inline constexpr char kStatic[] = "static";
inline constexpr char kBalanced[] = "balanced";

// Policies in the order of round `round`: it rotates, so that none always
// follows the same one.
std::vector<std::string> PoliciesOfRound(const TrainBenchOptions& options,
                                         int64_t round);

// The measured steps of one policy in one round.
struct TrainBlock {
  std::string policy;
  std::vector<StepRecord> steps;
};

// Checks that all blocks of a round but `balanced`'s have the same losses: bit
// for bit between policies that lend only whole experts, else up to rounding.
//
// Errors: Internal, naming the policies and how far they are apart.
absl::Status CheckLosses(const std::vector<TrainBlock>& round);

// {"runs", "speedup_over_static", "moe_layer_speedup_over_static",
// "ratio_to_balanced", "moe_layer_ratio_to_balanced", "paced"}. A run is a
// train report whose numbers are medians over the policy's blocks; a ratio is
// the median over rounds of the ratio of the blocks' median steps. Every policy
// has a block in each of `rounds`. `summary` serves for what is the same for
// all policies.
nlohmann::ordered_json BuildBenchReport(
    const TrainOptions& options, const RunSummary& summary,
    const std::vector<std::vector<TrainBlock>>& rounds);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_TRAIN_BLOCKS_H_
