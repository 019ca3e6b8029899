#include "worker/train/demo_report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/train/loss_agreement.h"

namespace balancemoe::worker {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kLongestBar = 40;

double MedianStepMs(const Json& run) { return run["step_ms"]["p50"]; }

std::vector<float> Losses(const Json& run) {
  return run["loss"].get<std::vector<float>>();
}

// Null where there is none.
Json RunOf(const std::string& policy, const Json& runs) {
  const auto found = std::find_if(
      runs.begin(), runs.end(),
      [&policy](const Json& run) { return run["policy"] == policy; });
  return found == runs.end() ? Json() : *found;
}

std::string Agreement(const std::string& policy, const Json& joined) {
  if (!joined["losses_identical"].contains(policy)) return "-";
  if (joined["losses_identical"][policy].get<bool>()) return "identical";
  if (!LossesAsPromised(policy, joined)) return "DIFFERENT";
  return absl::StrFormat(
      "within %.0e",
      joined["losses_max_relative_difference"][policy].get<double>());
}

std::string Row(const Json& run, const Json& joined) {
  const auto policy = run["policy"].get<std::string>();
  const double lends_per_step =
      run["lends"].get<double>() / run["steps"].get<double>();
  return absl::StrFormat(
      "%-10s %8.1f %10.1f %10.2f %11.1f %13.2f %10.0f  %s\n", policy,
      MedianStepMs(run), run["moe_layer_ms"]["p50"].get<double>(),
      run["imbalance"]["mean"].get<double>(), lends_per_step,
      run["exposed_transfer_ms"]["mean"].get<double>(),
      run["tokens_per_s"].get<double>(), Agreement(policy, joined));
}

}  // namespace

Json JoinReports(const std::vector<Json>& runs) {
  Json joined;
  joined["runs"] = runs;
  joined["speedup_over_static"] = Json::object();
  joined["losses_identical"] = Json::object();
  joined["losses_max_relative_difference"] = Json::object();
  const Json base = RunOf("static", joined["runs"]);
  if (base.is_null()) return joined;
  for (const Json& run : runs) {
    const auto policy = run["policy"].get<std::string>();
    joined["speedup_over_static"][policy] =
        MedianStepMs(base) / MedianStepMs(run);
    joined["losses_identical"][policy] =
        run["loss_sha256"] == base["loss_sha256"];
    joined["losses_max_relative_difference"][policy] =
        LargestDifference(Losses(base), Losses(run));
  }
  return joined;
}

bool LossesAsPromised(const std::string& policy, const Json& joined) {
  const Json base = RunOf("static", joined["runs"]);
  if (base.is_null()) return true;
  return CompareLosses(Losses(base), Losses(RunOf(policy, joined["runs"]))) <=
         PromisedAgreement(policy);
}

std::string DemoTable(const Json& joined) {
  std::string table =
      absl::StrFormat("%-10s %8s %10s %10s %11s %13s %10s  %s\n", "policy",
                      "step ms", "layers ms", "imbalance", "lends/step",
                      "exposed ms", "tokens/s", "losses");
  double longest = 0;
  for (const Json& run : joined["runs"]) {
    absl::StrAppend(&table, Row(run, joined));
    longest = std::max(longest, MedianStepMs(run));
  }
  absl::StrAppend(&table, "\n");
  for (const Json& run : joined["runs"]) {
    const auto policy = run["policy"].get<std::string>();
    const auto length =
        static_cast<size_t>(MedianStepMs(run) / longest * kLongestBar + 0.5);
    absl::StrAppendFormat(&table, "%-10s %s %.0f ms", policy,
                          std::string(length, '#'), MedianStepMs(run));
    if (policy != "static" && joined["speedup_over_static"].contains(policy)) {
      absl::StrAppendFormat(
          &table, ", %.2f times the speed of static",
          joined["speedup_over_static"][policy].get<double>());
    }
    absl::StrAppend(&table, "\n");
  }
  return table;
}

}  // namespace balancemoe::worker
