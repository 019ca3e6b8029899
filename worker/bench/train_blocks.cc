#include "worker/bench/train_blocks.h"

#include <algorithm>
#include <cstddef>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/planning/policy.h"
#include "common/statistics.h"
#include "worker/train/loss_agreement.h"

namespace balancemoe::worker {
namespace {

using Json = nlohmann::ordered_json;
using StepTime = std::function<double(const StepRecord&)>;

double StepMs(const StepRecord& step) { return step.step_ms; }

const TrainBlock* FindBlock(const std::vector<TrainBlock>& round,
                            const std::string& policy) {
  const auto found = std::find_if(
      round.begin(), round.end(),
      [&policy](const TrainBlock& block) { return block.policy == policy; });
  return found == round.end() ? nullptr : &*found;
}

std::vector<float> LossesOf(const TrainBlock& block) {
  std::vector<float> losses;
  for (const StepRecord& step : block.steps) losses.push_back(step.loss);
  return losses;
}

double MedianOfBlock(const TrainBlock& block, const StepTime& time) {
  std::vector<double> times;
  for (const StepRecord& step : block.steps) times.push_back(time(step));
  return Median(times);
}

// Number by number; texts and lists are those of the first. A key may be null
// in some blocks: a plan made ahead may come too late for a whole block.
Json MedianOver(const std::vector<Json>& all_reports) {
  std::vector<Json> reports;
  for (const Json& report : all_reports) {
    if (!report.is_null()) reports.push_back(report);
  }
  if (reports.empty()) return nullptr;
  const Json& first = reports.front();
  if (first.is_object()) {
    Json medians;
    for (const auto& [key, value] : first.items()) {
      std::vector<Json> values;
      for (const Json& report : reports) values.push_back(report[key]);
      medians[key] = MedianOver(values);
    }
    return medians;
  }
  std::vector<double> numbers;
  for (const Json& report : reports) {
    if (report.is_number()) numbers.push_back(report.get<double>());
  }
  // Whole numbers that never change stay whole.
  const bool same =
      std::all_of(reports.begin(), reports.end(),
                  [&first](const Json& report) { return report == first; });
  if (numbers.empty() || same) return first;
  return Median(numbers);
}

// By policy, the median over rounds of the time of `numerator` over that of
// `denominator`, where an empty name stands for the policy itself.
Json Ratios(const std::vector<std::vector<TrainBlock>>& rounds,
            const std::string& numerator, const std::string& denominator,
            const StepTime& time) {
  Json ratios = Json::object();
  for (const TrainBlock& of_policy : rounds.front()) {
    std::vector<double> values;
    for (const auto& round : rounds) {
      const TrainBlock* const own = FindBlock(round, of_policy.policy);
      const TrainBlock* const above =
          numerator.empty() ? own : FindBlock(round, numerator);
      const TrainBlock* const below =
          denominator.empty() ? own : FindBlock(round, denominator);
      if (above == nullptr || below == nullptr) return ratios;
      values.push_back(MedianOfBlock(*above, time) /
                       MedianOfBlock(*below, time));
    }
    ratios[of_policy.policy] = Median(values);
  }
  return ratios;
}

// Time in experts per token.
double ComputePerToken(const std::vector<std::vector<TrainBlock>>& rounds,
                       const std::string& policy) {
  double compute_us = 0;
  double tokens = 0;
  for (const auto& round : rounds) {
    for (const StepRecord& step : FindBlock(round, policy)->steps) {
      for (const LayerFigures& layer : step.layers) {
        compute_us += layer.expert_compute_us;
        tokens += static_cast<double>(layer.tokens_computed);
      }
    }
  }
  return compute_us / tokens;
}

Json ReportOf(const TrainOptions& options, const RunSummary& summary,
              const std::vector<std::vector<TrainBlock>>& rounds,
              const std::string& policy) {
  RunSummary own = summary;
  own.policy = policy;
  // `balanced` is none.
  if (const auto choice = ParsePolicyChoice(policy); choice.ok()) {
    own.mode = choice->mode;
  }
  std::vector<Json> blocks;
  Json losses = Json::array();
  std::vector<StepRecord> all_steps;
  for (const auto& round : rounds) {
    const auto& steps = FindBlock(round, policy)->steps;
    all_steps.insert(all_steps.end(), steps.begin(), steps.end());
    Json block = BuildTrainReport(options, own, steps);
    for (const Json& loss : block["loss"]) losses.push_back(loss);
    blocks.push_back(block);
  }
  Json report = MedianOver(blocks);
  report["loss"] = losses;
  report["loss_sha256"] = LossSha256(all_steps);
  // A block has either only steps with transfers or only steps without.
  if (FindBlock(rounds.front(), kStatic) != nullptr) {
    report["compute_slowdown"] =
        ComputePerToken(rounds, policy) / ComputePerToken(rounds, kStatic);
  }
  return report;
}

}  // namespace

std::vector<std::string> PoliciesOfRound(const TrainBenchOptions& options,
                                         int64_t round) {
  std::vector<std::string> policies = options.policies;
  const auto first =
      round % static_cast<int64_t>(std::max<size_t>(1, policies.size()));
  std::rotate(policies.begin(), policies.begin() + first, policies.end());
  return policies;
}

absl::Status CheckLosses(const std::vector<TrainBlock>& round) {
  const TrainBlock* base = nullptr;
  for (const TrainBlock& block : round) {
    if (block.policy == kBalanced) continue;
    if (base == nullptr) base = &block;
    const LossAgreement promised = std::max(PromisedAgreement(base->policy),
                                            PromisedAgreement(block.policy));
    const std::vector<float> one = LossesOf(*base);
    const std::vector<float> other = LossesOf(block);
    if (CompareLosses(one, other) > promised) {
      return absl::InternalError(
          absl::StrCat("policies ", base->policy, " and ", block.policy,
                       " differ in the losses of a block, by up to ",
                       LargestDifference(one, other), " of them"));
    }
  }
  return absl::OkStatus();
}

nlohmann::ordered_json BuildBenchReport(
    const TrainOptions& options, const RunSummary& summary,
    const std::vector<std::vector<TrainBlock>>& rounds) {
  Json report;
  report["runs"] = Json::array();
  for (const TrainBlock& block : rounds.front()) {
    report["runs"].push_back(ReportOf(options, summary, rounds, block.policy));
  }
  report["speedup_over_static"] = Ratios(rounds, kStatic, "", StepMs);
  report["moe_layer_speedup_over_static"] =
      Ratios(rounds, kStatic, "", MoeLayersMs);
  report["ratio_to_balanced"] = Ratios(rounds, "", kBalanced, StepMs);
  report["moe_layer_ratio_to_balanced"] =
      Ratios(rounds, "", kBalanced, MoeLayersMs);
  report["paced"] = nullptr;
  return report;
}

}  // namespace balancemoe::worker
