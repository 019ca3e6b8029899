#include "worker/bench/service_options.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/planning/policy.h"

namespace balancemoe::worker {
namespace {

// Those of a coordinator without flags.
constexpr int32_t kMostWorkers = 4096;
constexpr int32_t kMostLayers = 1024;
constexpr int32_t kMostExperts = 4096;

}  // namespace

void AddServiceFlags(CLI::App& app, ServiceOptions& options) {
  app.option_defaults()->always_capture_default();
  app.add_option("--workers", options.job.workers, "Simulated workers")
      ->check(CLI::Range(1, kMostWorkers));
  app.add_option("--connections", options.connections,
                 "TCP connections that they share, at most one each; 0: one "
                 "each, as real workers have")
      ->check(CLI::Range(0, kMostWorkers));
  app.add_option("--seconds", options.seconds,
                 "How long to measure, both servers together, seconds")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--policy", options.policy,
                 "What the coordinator plans with: NAME or NAME@MODE, of " +
                     absl::StrJoin(PolicyNames(), ", "));
  app.add_option("--layers", options.job.layers,
                 "MoE layers of the job; a round is of one layer")
      ->check(CLI::Range(1, kMostLayers));
  app.add_option("--experts", options.job.experts, "Experts per layer")
      ->check(CLI::Range(1, kMostExperts));
  app.add_option("-o,--output", options.output,
                 "text: a table; json: one object")
      ->check(CLI::IsMember({"text", "json"}));
}

absl::Status CompleteServiceOptions(ServiceOptions& options) {
  if (options.connections > options.job.workers) {
    return absl::InvalidArgumentError(
        absl::StrCat("--connections: ", options.connections, " for ",
                     options.job.workers, " workers; at most one each"));
  }
  if (options.connections == 0) options.connections = options.job.workers;
  absl::StatusOr<PolicyChoice> choice = ParsePolicyChoice(options.policy);
  if (!choice.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--policy: ", choice.status().message()));
  }
  if (!choice->plans_inline()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--policy: ", choice->ToString(),
                     " plans ahead, and nobody waits for it; only plans that "
                     "are made inline have a round trip to measure"));
  }
  options.job.policy = *std::move(choice);
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
