#ifndef BALANCEMOE_COORDINATOR_ADMISSION_H_
#define BALANCEMOE_COORDINATOR_ADMISSION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "coordinator/cluster/job_membership.h"

namespace balancemoe::coordinator {

// How much one coordinator takes on.
struct AdmissionLimits {
  size_t jobs = 256;
  // Per job.
  int32_t workers = 4096;
  int32_t layers = 1024;
  // Per layer.
  int32_t experts = 4096;
};

// What a worker that wants to join says, checked for sense and size. Whether it
// fits the job is for JobMembership.
//
// Errors:
//   InvalidArgument     a value makes no sense; names it.
//   FailedPrecondition  another protocol version; names both.
//   ResourceExhausted   over a limit; names it.
absl::StatusOr<Registration> DecodeRegistration(
    const v1::RegisterRequest& request, const AdmissionLimits& limits);

// Errors: InvalidArgument. A job id has 1 to 128 visible ASCII characters: it
// is a metric label, a log field and a word in the state file.
absl::Status ValidateJobId(const JobId& job_id);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_ADMISSION_H_
