#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_OPTIONS_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "worker/bench/service_job.h"

namespace balancemoe::worker {

// What people may set about `balancemoe-bench service`.
struct ServiceOptions {
  // Without the policy.
  ServiceJob job;
  std::string policy = "static";
  // 0: one per worker, as real workers have.
  int32_t connections = 0;
  double seconds = 5;
  // "text" or "json"
  std::string output = "text";
};

// `options` must outlive `app`.
void AddServiceFlags(CLI::App& app, ServiceOptions& options);

// Fills in what depends on other flags.
//
// Errors: InvalidArgument, naming the flag and what would be right.
absl::Status CompleteServiceOptions(ServiceOptions& options);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_OPTIONS_H_
