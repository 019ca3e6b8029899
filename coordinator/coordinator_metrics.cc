#include "coordinator/coordinator_metrics.h"

namespace balancemoe::coordinator {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr char kJobsHelp[] =
    "Jobs: forming while workers are missing, else running.";

// 10 us to 1 s.
Buckets SecondsBuckets() {
  Buckets buckets;
  for (const double decade : {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}) {
    for (const double step : {1.0, 2.5, 5.0}) buckets.push_back(decade * step);
  }
  buckets.push_back(1.0);
  return buckets;
}

CoordinatorMetrics::Counters& AddCounters(prometheus::Registry& registry,
                                          const std::string& name,
                                          const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

CoordinatorMetrics::Gauges& AddGauges(prometheus::Registry& registry,
                                      const std::string& name,
                                      const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

CoordinatorMetrics::Histograms& AddHistograms(prometheus::Registry& registry,
                                              const std::string& name,
                                              const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(prometheus::Registry& registry)
    : job_workers(AddGauges(registry, "balancemoe_job_workers",
                            "Workers of a job by state.")),
      job_epoch(AddGauges(registry, "balancemoe_job_epoch",
                          "How often a job of this name has begun.")),
      job_generation(AddGauges(registry, "balancemoe_job_generation",
                               "Rises whenever a worker is replaced.")),
      sessions(AddGauges(registry, "balancemoe_sessions", "Open sessions.")),
      session_disconnects(AddCounters(registry,
                                      "balancemoe_session_disconnects_total",
                                      "Sessions that ended, by reason.")),
      reports_received(AddCounters(registry,
                                   "balancemoe_reports_received_total",
                                   "Load reports that were taken.")),
      reports_rejected(
          AddCounters(registry, "balancemoe_reports_rejected_total",
                      "Load reports that were refused, by reason.")),
      stale_messages(AddCounters(registry, "balancemoe_stale_messages_total",
                                 "Messages from a former life, by of what.")),
      report_lateness(AddHistograms(registry,
                                    "balancemoe_report_lateness_seconds",
                                    "From a layer's first report to each.")),
      gather_duration(
          AddHistograms(registry, "balancemoe_gather_duration_seconds",
                        "From a layer's first report to its last.")),
      solve_duration(AddHistograms(registry,
                                   "balancemoe_plan_solve_duration_seconds",
                                   "Time of the policy for one layer.")),
      push_duration(AddHistograms(registry,
                                  "balancemoe_plan_push_duration_seconds",
                                  "From a plan to its last write begun.")),
      plans(AddCounters(registry, "balancemoe_plans_total",
                        "What became of plans, as the workers agreed.")),
      plan_transfers(AddCounters(registry, "balancemoe_plan_transfers_total",
                                 "Transfers in the plans that were pushed.")),
      plan_transfer_bytes(AddCounters(
          registry, "balancemoe_plan_transfer_bytes_total",
          "Parameters and optimizer state in the plans that were pushed.")),
      imbalance(AddGauges(registry, "balancemoe_imbalance_ratio",
                          "Heaviest worker over the mean, of the last plan.")),
      iterations_skipped(AddCounters(registry,
                                     "balancemoe_iterations_skipped_total",
                                     "Layers of iterations that got no plan.")),
      admission_rejected(AddCounters(registry,
                                     "balancemoe_admission_rejected_total",
                                     "Registrations that were refused.")),
      forming_jobs(AddGauges(registry, "balancemoe_jobs", kJobsHelp)
                       .Add({{"state", "forming"}})),
      running_jobs(AddGauges(registry, "balancemoe_jobs", kJobsHelp)
                       .Add({{"state", "running"}})),
      malformed_messages(
          AddCounters(registry, "balancemoe_malformed_messages_total",
                      "Stream messages that are none of the protocol.")
              .Add({})),
      slow_consumer_evictions(
          AddCounters(registry, "balancemoe_slow_consumer_evictions_total",
                      "Sessions ended because the worker did not read.")
              .Add({})),
      recordings_cut(AddCounters(registry, "balancemoe_recordings_cut_total",
                                 "Recordings of loads that ended early: the "
                                 "disk was too slow, or refused.")
                         .Add({})),
      state_write_errors(AddCounters(registry,
                                     "balancemoe_state_write_errors_total",
                                     "Failed writes to the state directory.")
                             .Add({})),
      state_write_duration(
          AddHistograms(registry, "balancemoe_state_write_duration_seconds",
                        "Time to keep an epoch in the state directory.")
              .Add({}, SecondsBuckets())),
      send_queue_depth(
          AddHistograms(
              registry, "balancemoe_send_queue_depth",
              "Messages that wait for a worker that is being written to")
              .Add({}, Buckets{1, 2, 4, 8, 16, 32, 64, 128})) {}

JobMetrics::JobMetrics(CoordinatorMetrics& all, const JobId& job)
    : workers(all.job_workers, {{"job", job}}, "state"),
      epoch(all.job_epoch, {{"job", job}}),
      generation(all.job_generation, {{"job", job}}),
      sessions(all.sessions, {{"job", job}}),
      session_disconnects(all.session_disconnects, {{"job", job}}, "reason"),
      reports_received(all.reports_received, {{"job", job}}),
      reports_rejected(all.reports_rejected, {{"job", job}}, "reason"),
      stale_messages(all.stale_messages, {{"job", job}}, "of"),
      report_lateness(all.report_lateness, {{"job", job}}, SecondsBuckets()),
      gather_duration(all.gather_duration, {{"job", job}}, SecondsBuckets()),
      solve_duration(all.solve_duration, {{"job", job}}, SecondsBuckets()),
      push_duration(all.push_duration, {{"job", job}}, SecondsBuckets()),
      plans(all.plans, {{"job", job}}, "outcome"),
      plan_transfers(all.plan_transfers, {{"job", job}}),
      plan_transfer_bytes(all.plan_transfer_bytes, {{"job", job}}),
      imbalance(all.imbalance, {{"job", job}}, "when"),
      iterations_skipped(all.iterations_skipped, {{"job", job}}, "reason") {}

}  // namespace balancemoe::coordinator
