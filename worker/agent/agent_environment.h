#ifndef BALANCEMOE_WORKER_AGENT_AGENT_ENVIRONMENT_H_
#define BALANCEMOE_WORKER_AGENT_AGENT_ENVIRONMENT_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/agent/agent.h"

namespace balancemoe::worker {

// What the launcher of a job knows, read from the environment; the job adds its
// layers, experts and transport.
//
//   coordinator    BALANCEMOE_COORDINATOR ("127.0.0.1:7070" without it)
//   job_id         BALANCEMOE_JOB_ID, SLURM_JOB_NAME; else "default"
//   rank           RANK, SLURM_PROCID, OMPI_COMM_WORLD_RANK, PMI_RANK
//   world_size     WORLD_SIZE, SLURM_NTASKS, OMPI_COMM_WORLD_SIZE, PMI_SIZE
//   run_id         BALANCEMOE_RUN_ID, TORCHELASTIC_RUN_ID, SLURM_JOB_ID,
//                  MASTER_ADDR with MASTER_PORT
//   policy         BALANCEMOE_POLICY
//   plan_deadline  BALANCEMOE_PLAN_DEADLINE_MS
//
// Errors: InvalidArgument, naming the variable, for one that is missing or is
// no number.
absl::StatusOr<AgentOptions> AgentOptionsFromEnvironment();

// The same with `variable` in place of getenv: the value, or null.
absl::StatusOr<AgentOptions> AgentOptionsFrom(
    const std::function<const char*(const char* name)>& variable);

// Errors: InvalidArgument, naming the option and its value.
absl::Status ValidateAgentOptions(const AgentOptions& options);

// Errors: FailedPrecondition when `policy`, "policy@mode", moves experts or
// plans ahead and the job does not say when steps end. One that is not known
// here passes.
absl::Status CheckStepsEnd(absl::string_view policy, bool ends_steps);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_AGENT_ENVIRONMENT_H_
