#include "common/replay/replay.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/planning/layer_forecast.h"
#include "common/planning/policy.h"
#include "common/replay/replay_statistics.h"
#include "common/replay/replayed_layer.h"
#include "common/replay/worker_loads.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

constexpr absl::string_view kNative = "native";

// What the options select of the trace.
std::vector<const TraceRecord*> Select(const Trace& trace,
                                       const ReplayOptions& options) {
  std::vector<const TraceRecord*> selected;
  for (const TraceRecord& record : trace.records) {
    if (options.first_iteration.has_value() &&
        record.iteration < *options.first_iteration) {
      continue;
    }
    if (options.end_iteration.has_value() &&
        record.iteration >= *options.end_iteration) {
      continue;
    }
    if (!options.layers.empty() &&
        std::find(options.layers.begin(), options.layers.end(), record.layer) ==
            options.layers.end()) {
      continue;
    }
    selected.push_back(&record);
  }
  return selected;
}

absl::Status CheckSizes(const Trace& trace, const ReplayOptions& options) {
  const int32_t workers = options.workers;
  if (workers < 1 || workers > trace.num_experts) {
    return absl::InvalidArgumentError(
        absl::StrCat("workers: ", workers, "; 1 to ", trace.num_experts,
                     ", the number of experts in ", trace.name));
  }
  if (trace.num_experts % workers != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "workers: ", workers, " do not divide the ", trace.num_experts,
        " experts of ", trace.name, " into equal parts"));
  }
  return CheckSources(trace, workers);
}

absl::Status CheckObjective(const ReplayOptions& options) {
  if (options.objective != "time" && options.objective != "imbalance") {
    return absl::InvalidArgumentError(
        absl::StrCat("objective: there is no \"", options.objective,
                     "\"; there are time and imbalance"));
  }
  if (!(options.target_imbalance >= 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "target_imbalance: ", options.target_imbalance, "; 1 or more"));
  }
  if (options.slots < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("slots: ", options.slots, "; 0 or more"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PolicyChoice>> ParsePolicies(
    const ReplayOptions& options) {
  if (options.policies.empty()) {
    return absl::InvalidArgumentError("policy: name at least one");
  }
  std::vector<PolicyChoice> choices;
  for (const std::string& name : options.policies) {
    const std::string text =
        options.mode == kNative ? name : absl::StrCat(name, "@", options.mode);
    BMOE_ASSIGN_OR_RETURN(PolicyChoice choice, ParsePolicyChoice(text));
    choices.push_back(std::move(choice));
  }
  return choices;
}

// Runs all selected records under one policy.
class PolicyRun {
 public:
  PolicyRun(const ReplayedLayer::Setup& setup, const ReplayObserver& observer,
            const Clock& clock)
      : setup_(setup),
        observer_(observer),
        clock_(clock),
        policy_(MakePolicy(setup.choice, setup.options)) {}

  void Next(const TraceRecord& record, const LoadMatrix& tokens) {
    std::unique_ptr<ReplayedLayer>& layer = layers_[record.layer];
    if (layer == nullptr) {
      layer = std::make_unique<ReplayedLayer>(setup_, *policy_, clock_);
    }
    const ReplayedDecision decision = layer->Next(record.iteration, tokens);
    int64_t total = 0;
    for (const ReplayedLayer::Share& share : layer->Shares()) {
      total += share.tokens;
      if (!observer_.assignment) continue;
      observer_.assignment({setup_.choice.name, record.iteration, record.layer,
                            share.expert, share.worker, share.tokens});
    }
    statistics_.Add(record.iteration, decision, total);
  }

  PolicyReplay Finish() const {
    PolicyReplay replay = statistics_.Summary();
    replay.policy = setup_.choice.name;
    replay.mode = setup_.choice.mode;
    return replay;
  }

 private:
  const ReplayedLayer::Setup setup_;
  const ReplayObserver& observer_;
  const Clock& clock_;
  const std::unique_ptr<Policy> policy_;
  std::map<LayerId, std::unique_ptr<ReplayedLayer>> layers_;
  ReplayStatistics statistics_;
};

ReplayedLayer::Setup SetupFor(const PolicyChoice& choice, const Trace& trace,
                              const Profile& profile,
                              const ReplayOptions& options) {
  ReplayedLayer::Setup setup;
  setup.choice = choice;
  setup.options.fewest_copies = options.objective == "imbalance";
  setup.options.target_imbalance = options.target_imbalance;
  setup.workers = options.workers;
  setup.experts = trace.num_experts;
  const PolicyTraits& traits = TraitsOf(choice.name);
  setup.slots = traits.bound_by_option ? options.slots
                                       : traits.slots.value_or(setup.experts);
  setup.profile = profile;
  return setup;
}

// Times that no policy can change: the bound, and a perfectly balanced load.
void AddBounds(const std::vector<const TraceRecord*>& records,
               const Profile& profile, ReplayReport& report) {
  const CostModel cost = CostModelOf(profile);
  const std::vector<int32_t> nodes = NodesOf(profile, report.workers);
  const std::vector<WorkerRank> homes =
      ContiguousPlacement(report.workers, report.experts);
  for (const TraceRecord* record : records) {
    int64_t total = 0;
    double launches = 0;
    for (int32_t e = 0; e < report.experts; ++e) {
      const int64_t tokens = record->tokens.TokensOfExpert(ExpertId(e));
      total += tokens;
      launches += tokens > 0 ? 1 : 0;
    }
    report.lower_bound_mean_us +=
        (1 + cost.backward_factor) *
        (static_cast<double>(total) * cost.us_per_token +
         launches * cost.expert_launch_us) /
        report.workers;
    std::vector<int64_t> even(static_cast<size_t>(report.experts),
                              total / report.experts);
    for (size_t e = 0; e < static_cast<size_t>(total % report.experts); ++e) {
      ++even[e];
    }
    const LayerLoads loads(even, report.workers, homes, nodes);
    report.balanced_mean_us += TimeLayer(loads, cost, {}).layer_us();
  }
  report.lower_bound_mean_us /= static_cast<double>(records.size());
  report.balanced_mean_us /= static_cast<double>(records.size());
}

// Against `static`, replayed silently when nobody asked for it.
void AddSpeedups(double static_us, ReplayReport& report) {
  for (PolicyReplay& policy : report.policies) {
    policy.speedup_over_static = policy.layer_time_mean_us > 0
                                     ? static_us / policy.layer_time_mean_us
                                     : 1;
  }
}

}  // namespace

absl::StatusOr<ReplayReport> Replay(const Trace& trace, const Profile& profile,
                                    const ReplayOptions& options,
                                    const ReplayObserver& observer,
                                    const Clock& clock) {
  BMOE_RETURN_IF_ERROR(ValidateProfile(profile));
  BMOE_RETURN_IF_ERROR(CheckSizes(trace, options));
  BMOE_RETURN_IF_ERROR(CheckObjective(options));
  BMOE_ASSIGN_OR_RETURN(const std::vector<PolicyChoice> choices,
                        ParsePolicies(options));
  const std::vector<const TraceRecord*> records = Select(trace, options);
  if (records.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "iterations: none of ", trace.name, " are selected; it has ",
        trace.records.front().iteration.value(), " to ",
        trace.records.back().iteration.value(), " of ", trace.layers.size(),
        " layers"));
  }
  ReplayReport report;
  report.trace = trace.name;
  report.iterations = CountIterations(records);
  report.layers = CountLayers(records);
  report.experts = trace.num_experts;
  report.workers = options.workers;
  report.mode = options.mode;
  report.profile = profile.name;
  AddBounds(records, profile, report);

  const ReplayObserver silent;
  const auto total =
      static_cast<int64_t>(records.size() * (choices.size() + 1));
  int64_t done = 0;
  const auto run = [&](const PolicyChoice& choice,
                       const ReplayObserver& watched) {
    PolicyRun policy(SetupFor(choice, trace, profile, options), watched, clock);
    for (const TraceRecord* record : records) {
      policy.Next(*record,
                  WorkerLoads(*record, trace.num_ranks, options.workers));
      ++done;
      if (observer.progress) observer.progress(done, total);
    }
    return policy.Finish();
  };
  const double static_us = run({"static", "inline"}, silent).layer_time_mean_us;
  for (const PolicyChoice& choice : choices) {
    report.policies.push_back(run(choice, observer));
  }
  AddSpeedups(static_us, report);
  return report;
}

}  // namespace balancemoe
