#include "coordinator/ctl/replay_table.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/terminal/text_table.h"

namespace balancemoe::coordinator {
namespace {

constexpr char kMeaning[] =
    "A decision is one layer of one iteration; figures are means over them, "
    "except p95 and peak\nmemory (the largest of any worker). imbalance: "
    "tokens of the busiest worker / mean of all. lends,\nmoves: experts that "
    "newly travel for one iteration, or for good. x bound: layer time / lower\n"
    "bound. exposed: part of the layer time that waits for transfers.\n";

// One unit for all times, so that they compare at a glance.
struct TimeUnit {
  std::string name = "us";
  double per_us = 1;

  explicit TimeUnit(const ReplayReport& report) {
    double longest_us = report.balanced_mean_us;
    for (const PolicyReplay& policy : report.policies) {
      longest_us = std::max(longest_us, policy.layer_time_mean_us);
    }
    if (longest_us < 10'000) return;
    name = "ms";
    per_us = 1e-3;
  }
  std::string Format(double us) const {
    return absl::StrFormat("%.1f", us * per_us);
  }
};

double Ratio(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : 0;
}

std::string Header(const ReplayReport& report, const TimeUnit& unit) {
  return absl::StrCat(
      absl::StrFormat(
          "%s: %d iterations, %d layers, %d experts on %d workers\n",
          report.trace, report.iterations, report.layers, report.experts,
          report.workers),
      absl::StrFormat("profile %s, mode %s\n\n", report.profile, report.mode),
      absl::StrFormat("lower bound  %10s %s  compute spread evenly, nothing "
                      "sent\n",
                      unit.Format(report.lower_bound_mean_us), unit.name),
      absl::StrFormat("balanced     %10s %s  a uniform load, its all-to-all "
                      "included\n\n",
                      unit.Format(report.balanced_mean_us), unit.name));
}

std::vector<std::string> Row(const PolicyReplay& policy, double bound_us,
                             const TimeUnit& unit) {
  constexpr double kGib = 1024.0 * 1024 * 1024;
  return {policy.policy,
          policy.mode,
          absl::StrFormat("%.3f", policy.imbalance.mean),
          absl::StrFormat("%.3f", policy.imbalance.p95),
          absl::StrFormat("%.2f", policy.lends_per_decision),
          absl::StrFormat("%.2f", policy.moves_per_decision),
          unit.Format(policy.layer_time_mean_us),
          absl::StrFormat("%.2f", Ratio(policy.layer_time_mean_us, bound_us)),
          absl::StrFormat("%.2f", policy.speedup_over_static),
          absl::StrFormat("%.1f", 100 * Ratio(policy.exposed_transfer_mean_us,
                                              policy.layer_time_mean_us)),
          absl::StrFormat(
              "%.2f", static_cast<double>(policy.peak_memory_max_bytes) / kGib),
          absl::StrFormat("%.1f", policy.energy_j_per_iteration)};
}

}  // namespace

std::string ReplayTable(const ReplayReport& report) {
  const TimeUnit unit(report);
  const std::vector<TextColumn> columns = {
      {.title = "policy", .left = true},
      {.title = "mode", .left = true},
      {.title = "imbalance", .unit = "mean"},
      {.title = "", .unit = "p95"},
      {.title = "lends", .unit = "/decision"},
      {.title = "moves", .unit = "/decision"},
      {.title = "layer time", .unit = unit.name},
      {.title = "x bound"},
      {.title = "speed-up", .unit = "x static"},
      {.title = "exposed", .unit = "%"},
      {.title = "peak memory", .unit = "GiB"},
      {.title = "energy", .unit = "J/iteration"}};
  std::vector<std::vector<std::string>> rows;
  for (const PolicyReplay& policy : report.policies) {
    rows.push_back(Row(policy, report.lower_bound_mean_us, unit));
  }
  return absl::StrCat(Header(report, unit), FormatTextTable(columns, rows),
                      "\n", kMeaning);
}

}  // namespace balancemoe::coordinator
