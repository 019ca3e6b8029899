#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_RUN_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_RUN_H_

#include <ostream>

#include "absl/status/statusor.h"
#include "worker/bench/service_options.h"
#include "worker/bench/service_report.h"

namespace balancemoe::worker {

// Starts a coordinator and an echo and measures both in turns, showing on
// `progress` how far it is. Every plan of every round is checked, outside of
// the times. `options` must be complete; call from the main thread, after
// BlockEndingSignals.
//
// Errors: Unavailable when a server does not start or a session breaks;
// Internal for a wrong plan; Cancelled after SIGINT or SIGTERM.
absl::StatusOr<ServiceTimes> MeasureService(const ServiceOptions& options,
                                            std::ostream& progress);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_RUN_H_
