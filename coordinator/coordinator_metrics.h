#ifndef BALANCEMOE_COORDINATOR_COORDINATOR_METRICS_H_
#define BALANCEMOE_COORDINATOR_COORDINATOR_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

#include "common/ids.h"
#include "coordinator/metric_series.h"

namespace balancemoe::coordinator {

// Every metric of the coordinator, in one place; docs/coordinator.md lists
// them. No series has a rank, an expert or an iteration as a label.
// Thread-safe.
class CoordinatorMetrics {
 public:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  explicit CoordinatorMetrics(prometheus::Registry& registry);

  Gauges& job_workers;
  Gauges& job_epoch;
  Gauges& job_generation;
  Gauges& sessions;
  Counters& session_disconnects;
  Counters& reports_received;
  Counters& reports_rejected;
  Counters& stale_messages;
  Histograms& report_lateness;
  Histograms& gather_duration;
  Histograms& solve_duration;
  Histograms& push_duration;
  Counters& plans;
  Counters& plan_transfers;
  Counters& plan_transfer_bytes;
  Gauges& imbalance;
  Counters& iterations_skipped;
  Counters& admission_rejected;

  // Series that no job owns. A job is forming while workers are missing.
  prometheus::Gauge& forming_jobs;
  prometheus::Gauge& running_jobs;
  prometheus::Counter& malformed_messages;
  prometheus::Counter& slow_consumer_evictions;
  prometheus::Counter& recordings_cut;
  prometheus::Counter& state_write_errors;
  prometheus::Histogram& state_write_duration;
  prometheus::Histogram& send_queue_depth;
};

// The series of one job; they end with it. For the strand of the job.
struct JobMetrics {
  JobMetrics(CoordinatorMetrics& all, const JobId& job);

  SeriesByLabel<prometheus::Gauge> workers;
  Series<prometheus::Gauge> epoch;
  Series<prometheus::Gauge> generation;
  Series<prometheus::Gauge> sessions;
  SeriesByLabel<prometheus::Counter> session_disconnects;
  Series<prometheus::Counter> reports_received;
  SeriesByLabel<prometheus::Counter> reports_rejected;
  SeriesByLabel<prometheus::Counter> stale_messages;
  Series<prometheus::Histogram> report_lateness;
  Series<prometheus::Histogram> gather_duration;
  Series<prometheus::Histogram> solve_duration;
  Series<prometheus::Histogram> push_duration;
  SeriesByLabel<prometheus::Counter> plans;
  Series<prometheus::Counter> plan_transfers;
  Series<prometheus::Counter> plan_transfer_bytes;
  SeriesByLabel<prometheus::Gauge> imbalance;
  SeriesByLabel<prometheus::Counter> iterations_skipped;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_COORDINATOR_METRICS_H_
