#include "common/io/replay_json.h"

namespace balancemoe {
namespace {

using nlohmann::ordered_json;

ordered_json PolicyJson(const PolicyReplay& policy) {
  const PolicyReplay::Imbalance& imbalance = policy.imbalance;
  return ordered_json{
      {"policy", policy.policy},
      {"mode", policy.mode},
      {"imbalance",
       {{"mean", imbalance.mean},
        {"p50", imbalance.p50},
        {"p95", imbalance.p95},
        {"max", imbalance.max},
        {"token_weighted_mean", imbalance.token_weighted_mean}}},
      {"moves_per_decision", policy.moves_per_decision},
      {"lends_per_decision", policy.lends_per_decision},
      {"renewals_per_decision", policy.renewals_per_decision},
      {"bytes_per_decision", policy.bytes_per_decision},
      {"layer_time_us",
       {{"mean", policy.layer_time_mean_us},
        {"p95", policy.layer_time_p95_us}}},
      {"exposed_transfer_us", {{"mean", policy.exposed_transfer_mean_us}}},
      {"speedup_over_static", policy.speedup_over_static},
      {"peak_tokens_per_worker",
       {{"mean", policy.peak_tokens_mean}, {"max", policy.peak_tokens_max}}},
      {"peak_memory_bytes",
       {{"mean", policy.peak_memory_mean_bytes},
        {"max", policy.peak_memory_max_bytes}}},
      {"energy_j_per_iteration", policy.energy_j_per_iteration},
      {"solve_us",
       {{"p50", policy.solve_p50_us}, {"p99", policy.solve_p99_us}}}};
}

}  // namespace

ordered_json ReplayJson(const ReplayReport& report) {
  ordered_json policies = ordered_json::array();
  for (const PolicyReplay& policy : report.policies) {
    policies.push_back(PolicyJson(policy));
  }
  return ordered_json{
      {"trace", report.trace},
      {"iterations", report.iterations},
      {"layers", report.layers},
      {"experts", report.experts},
      {"workers", report.workers},
      {"mode", report.mode},
      {"profile", report.profile},
      {"lower_bound_us", {{"mean", report.lower_bound_mean_us}}},
      {"balanced_us", {{"mean", report.balanced_mean_us}}},
      {"policies", policies}};
}

std::string OneLine(const ordered_json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false,
                   ordered_json::error_handler_t::replace);
}

}  // namespace balancemoe
