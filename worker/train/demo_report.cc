#include "worker/train/demo_report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace balancemoe::worker {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kLongestBar = 40;

double MedianStepMs(const Json& run) { return run["step_ms"]["p50"]; }

std::string Row(const Json& run, const Json& joined) {
  const auto policy = run["policy"].get<std::string>();
  const auto& same = joined["losses_identical"];
  const double lends_per_step =
      run["lends"].get<double>() / run["steps"].get<double>();
  const char* identical = !same.contains(policy)     ? "-"
                          : same[policy].get<bool>() ? "identical"
                                                     : "DIFFERENT";
  return absl::StrFormat("%-10s %8.1f %10.1f %10.2f %11.1f %13.2f %10.0f  %s\n",
                         policy, MedianStepMs(run),
                         run["moe_layer_ms"]["p50"].get<double>(),
                         run["imbalance"]["mean"].get<double>(), lends_per_step,
                         run["exposed_transfer_ms"]["mean"].get<double>(),
                         run["tokens_per_s"].get<double>(), identical);
}

}  // namespace

Json JoinReports(const std::vector<Json>& runs) {
  Json joined;
  joined["runs"] = runs;
  joined["speedup_over_static"] = Json::object();
  joined["losses_identical"] = Json::object();
  const auto base = std::find_if(runs.begin(), runs.end(), [](const Json& run) {
    return run["policy"] == "static";
  });
  if (base == runs.end()) return joined;
  for (const Json& run : runs) {
    const auto policy = run["policy"].get<std::string>();
    joined["speedup_over_static"][policy] =
        MedianStepMs(*base) / MedianStepMs(run);
    joined["losses_identical"][policy] =
        run["loss_sha256"] == (*base)["loss_sha256"];
  }
  return joined;
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
