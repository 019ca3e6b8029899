#ifndef BALANCEMOE_WORKER_BENCH_POLICY_SWITCH_H_
#define BALANCEMOE_WORKER_BENCH_POLICY_SWITCH_H_

#include <string>

#include "absl/status/status.h"

namespace balancemoe::worker {

// Asks the coordinator at `address` to plan `job_id` by `policy` as soon as it
// can.
//
// Errors: those of AdminService.SetPolicy; Unavailable and DeadlineExceeded
// when it does not answer.
absl::Status SwitchPolicy(const std::string& address, const std::string& job_id,
                          const std::string& policy);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_POLICY_SWITCH_H_
