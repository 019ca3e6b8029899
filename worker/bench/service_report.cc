#include "worker/bench/service_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/statistics.h"

namespace balancemoe::worker {
namespace {

nlohmann::ordered_json Quantiles(const ServerTimes& times) {
  return {{"p50", Quantile(times.round_us, 0.5)},
          {"p99", Quantile(times.round_us, 0.99)}};
}

double ProcessorPerRound(const ServerTimes& times) {
  return times.round_us.empty()
             ? 0
             : times.processor_us / static_cast<double>(times.round_us.size());
}

std::string Row(const std::string& name, const nlohmann::ordered_json& times,
                double processor_us) {
  return absl::StrFormat("%-16s %10.0f %10.0f %14.0f\n", name,
                         times["p50"].get<double>(), times["p99"].get<double>(),
                         processor_us);
}

}  // namespace

nlohmann::ordered_json BuildServiceReport(const ServiceJob& job,
                                          int32_t connections,
                                          const ServiceTimes& times) {
  nlohmann::ordered_json report;
  report["workers"] = job.workers;
  report["coordinator_us"] = Quantiles(times.coordinator);
  report["echo_us"] = Quantiles(times.echo);
  const double echo_p50 = Quantile(times.echo.round_us, 0.5);
  report["ratio_p50"] =
      echo_p50 > 0 ? Quantile(times.coordinator.round_us, 0.5) / echo_p50 : 0;
  report["coordinator_processor_us_per_round"] =
      ProcessorPerRound(times.coordinator);
  report["echo_processor_us_per_round"] = ProcessorPerRound(times.echo);
  report["connections"] = connections;
  report["layers"] = job.layers;
  report["experts"] = job.experts;
  report["policy"] = job.policy.ToString();
  report["plan_bytes"] = times.plan_bytes;
  report["rounds"] = times.coordinator.round_us.size();
  return report;
}

std::string ServiceTable(const nlohmann::ordered_json& report) {
  return absl::StrCat(
      absl::StrFormat("%-16s %10s %10s %14s\n", "", "p50 us", "p99 us",
                      "processor us"),
      Row("coordinator", report["coordinator_us"],
          report["coordinator_processor_us_per_round"]),
      Row("bare gRPC echo", report["echo_us"],
          report["echo_processor_us_per_round"]),
      absl::StrFormat("ratio of p50: %.2f, over %d rounds of %d workers on %d "
                      "connections\n",
                      report["ratio_p50"].get<double>(),
                      report["rounds"].get<int64_t>(),
                      report["workers"].get<int64_t>(),
                      report["connections"].get<int64_t>()));
}

}  // namespace balancemoe::worker
