#ifndef BALANCEMOE_COORDINATOR_CTL_TRACE_SUMMARY_H_
#define BALANCEMOE_COORDINATOR_CTL_TRACE_SUMMARY_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/replay/trace.h"

namespace balancemoe::coordinator {

// What is in a trace. A decision is one layer of one iteration.
struct TraceSummary {
  std::string trace;
  int64_t iterations = 0;
  int64_t first_iteration = 0;
  int64_t last_iteration = 0;
  int64_t layers = 0;
  int64_t decisions = 0;
  int32_t experts = 0;
  // 0: the trace does not know its sources.
  int32_t ranks = 0;

  // Token-to-expert assignments of a decision.
  double assignments_mean = 0;
  int64_t assignments_min = 0;
  int64_t assignments_max = 0;

  // Load of the busiest of `workers` over the mean, experts placed in equal
  // runs of neighbours. Decisions without tokens do not count.
  int32_t workers = 0;
  double imbalance_mean = 1;
  double imbalance_p50 = 1;
  double imbalance_p95 = 1;
  double imbalance_max = 1;

  // Of a decision's assignments, those to its hottest expert.
  double hottest_expert_share_mean = 0;
  double hottest_expert_share_max = 0;
  // Between the expert loads of a layer and those in its iteration before;
  // 1 where there is no pair to compare.
  double successive_correlation_mean = 1;
  double successive_correlation_min = 1;
  // Of all expert loads, those that are 0.
  double zero_load_share = 0;
};

// `workers` must divide the trace's experts.
TraceSummary SummariseTrace(const Trace& trace, int32_t workers);

// One object, keys in the order above.
nlohmann::ordered_json TraceSummaryJson(const TraceSummary& summary);

// For people.
std::string TraceSummaryText(const TraceSummary& summary);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_TRACE_SUMMARY_H_
