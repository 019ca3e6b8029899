#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_REPORT_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "worker/bench/service_job.h"

namespace balancemoe::worker {

// What one of the two servers took. A round is one message from each worker
// and one answer to each.
struct ServerTimes {
  // From the first message sent to the last answer received, by round.
  std::vector<double> round_us;
  // Processor time of the server's process, all rounds together.
  double processor_us = 0;
};

struct ServiceTimes {
  ServerTimes coordinator;
  ServerTimes echo;
  size_t plan_bytes = 0;
};

// The JSON object of `balancemoe-bench service`. Pure, as is the next.
nlohmann::ordered_json BuildServiceReport(const ServiceJob& job,
                                          int32_t connections,
                                          const ServiceTimes& times);

// The same for people.
std::string ServiceTable(const nlohmann::ordered_json& report);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_REPORT_H_
