#include "worker/bench/plan_options.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace balancemoe::worker {
namespace {

constexpr int32_t kMostWorkers = 4096;
constexpr int32_t kMostExperts = 4096;
constexpr int64_t kMostPlans = 1'000'000;
constexpr PlanSize kSizes[] = {{8, 64}, {64, 256}, {1024, 1024}};

}  // namespace

void AddPlanFlags(CLI::App& app, PlanOptions& options) {
  const std::string sizes =
      absl::StrJoin(kSizes, ", ", [](std::string* out, const PlanSize& size) {
        absl::StrAppend(out, size.workers, " and ", size.experts);
      });
  app.add_option("--workers", options.workers,
                 "Workers, together with --experts; without the two: " + sizes)
      ->check(CLI::Range(1, kMostWorkers));
  app.add_option("--experts", options.experts, "Experts of the layer")
      ->check(CLI::Range(1, kMostExperts));
  app.add_option("--policy", options.policy,
                 "Who plans: NAME or NAME@MODE, of " +
                     absl::StrJoin(PolicyNames(), ", "))
      ->capture_default_str();
  app.add_option("--plans", options.plans, "Successive plans of each size")
      ->check(CLI::Range(int64_t{1}, kMostPlans))
      ->capture_default_str();
  app.add_option("-o,--output", options.output,
                 "text: a table; json: one object")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

absl::Status CompletePlanOptions(PlanOptions& options) {
  if ((options.workers == 0) != (options.experts == 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.workers == 0 ? "--workers" : "--experts",
                     ": missing; a size is both --workers and --experts"));
  }
  if (options.workers == 0) {
    options.sizes.assign(std::begin(kSizes), std::end(kSizes));
  } else {
    options.sizes = {{options.workers, options.experts}};
  }
  absl::StatusOr<PolicyChoice> choice = ParsePolicyChoice(options.policy);
  if (!choice.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--policy: ", choice.status().message()));
  }
  options.choice = *std::move(choice);
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
