#include "worker/agent/agent_environment.h"

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/planning/policy.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

using Lookup = std::function<const char*(const char* name)>;
using Names = std::initializer_list<const char*>;

// The first variable that is set and not empty.
struct Found {
  const char* name = nullptr;
  std::string value;
};

Found FirstOf(const Lookup& variable, Names names) {
  for (const char* name : names) {
    const char* value = variable(name);
    if (value != nullptr && *value != '\0') return {name, value};
  }
  return {};
}

absl::StatusOr<int32_t> Number(const Found& found, int32_t lowest) {
  int32_t number = 0;
  if (!absl::SimpleAtoi(found.value, &number) || number < lowest) {
    return absl::InvalidArgumentError(absl::StrCat(
        found.name, "=", found.value, ": it must be a number >= ", lowest));
  }
  return number;
}

absl::StatusOr<int32_t> RequiredNumber(const Lookup& variable, Names names,
                                       int32_t lowest) {
  const Found found = FirstOf(variable, names);
  if (found.name == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("none of ", absl::StrJoin(names, ", "),
                     " is set; torchrun, Slurm and MPI launchers set them"));
  }
  return Number(found, lowest);
}

absl::StatusOr<std::string> RunId(const Lookup& variable) {
  Found found = FirstOf(variable, {"BALANCEMOE_RUN_ID"});
  if (found.name != nullptr) return found.value;
  // torchrun says "none" when nobody gave it an id: the same for every run.
  found = FirstOf(variable, {"TORCHELASTIC_RUN_ID"});
  if (found.name != nullptr && found.value != "none") return found.value;
  found = FirstOf(variable, {"SLURM_JOB_ID"});
  if (found.name != nullptr) {
    return absl::StrCat(found.value, ".",
                        FirstOf(variable, {"SLURM_STEP_ID"}).value);
  }
  found = FirstOf(variable, {"MASTER_ADDR"});
  if (found.name != nullptr) {
    return absl::StrCat(found.value, ":",
                        FirstOf(variable, {"MASTER_PORT"}).value);
  }
  return absl::InvalidArgumentError(
      "none of BALANCEMOE_RUN_ID, TORCHELASTIC_RUN_ID, SLURM_JOB_ID, "
      "MASTER_ADDR is set; one of them tells this run from others");
}

absl::Status Wrong(absl::string_view option, absl::string_view value,
                   absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat(
      "agent options: ", option, " is ", value, "; it must be ", rule));
}

}  // namespace

absl::StatusOr<AgentOptions> AgentOptionsFrom(const Lookup& variable) {
  AgentOptions options;
  options.coordinator = FirstOf(variable, {"BALANCEMOE_COORDINATOR"}).value;
  if (options.coordinator.empty()) options.coordinator = "127.0.0.1:7070";
  options.job_id =
      FirstOf(variable, {"BALANCEMOE_JOB_ID", "SLURM_JOB_NAME"}).value;
  if (options.job_id.empty()) options.job_id = "default";
  BMOE_ASSIGN_OR_RETURN(options.world_size,
                        RequiredNumber(variable,
                                       {"WORLD_SIZE", "SLURM_NTASKS",
                                        "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"},
                                       1));
  BMOE_ASSIGN_OR_RETURN(
      const int32_t rank,
      RequiredNumber(
          variable,
          {"RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"}, 0));
  options.rank = WorkerRank(rank);
  BMOE_ASSIGN_OR_RETURN(options.run_id, RunId(variable));
  options.policy = FirstOf(variable, {"BALANCEMOE_POLICY"}).value;
  const Found deadline = FirstOf(variable, {"BALANCEMOE_PLAN_DEADLINE_MS"});
  if (deadline.name != nullptr) {
    BMOE_ASSIGN_OR_RETURN(const int32_t milliseconds, Number(deadline, 1));
    options.plan_deadline = absl::Milliseconds(milliseconds);
  }
  return options;
}

absl::StatusOr<AgentOptions> AgentOptionsFromEnvironment() {
  return AgentOptionsFrom([](const char* name) { return std::getenv(name); });
}

absl::Status CheckStepsEnd(absl::string_view policy, bool ends_steps) {
  const auto choice = ParsePolicyChoice(policy);
  if (ends_steps || !choice.ok()) return absl::OkStatus();
  const bool moves = TraitsOf(choice->name).moves;
  if (!moves && choice->plans_inline()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "policy ", choice->ToString(), moves ? " moves experts" : " plans ahead",
      ", which happens between steps, and this job does not say "
      "when they end: ends_steps is false"));
}

absl::Status ValidateAgentOptions(const AgentOptions& options) {
  if (options.coordinator.empty()) {
    return Wrong("coordinator", "empty", "host:port");
  }
  if (options.job_id.empty()) return Wrong("job_id", "empty", "a name");
  if (options.run_id.empty()) {
    return Wrong("run_id", "empty", "the same for all workers of one run");
  }
  if (options.world_size < 1) {
    return Wrong("world_size", absl::StrCat(options.world_size), ">= 1");
  }
  if (options.rank.value() < 0 || options.rank.value() >= options.world_size) {
    return Wrong("rank", absl::StrCat(options.rank.value()),
                 absl::StrCat("0 to ", options.world_size - 1));
  }
  if (options.layers < 1) {
    return Wrong("layers", absl::StrCat(options.layers), ">= 1");
  }
  if (options.experts_per_layer < 1) {
    return Wrong("experts_per_layer", absl::StrCat(options.experts_per_layer),
                 ">= 1");
  }
  if (options.expert_bytes < 1) {
    return Wrong("expert_bytes", absl::StrCat(options.expert_bytes), ">= 1");
  }
  if (options.spare_slots < 0) {
    return Wrong("spare_slots", absl::StrCat(options.spare_slots), ">= 0");
  }
  if (options.node < 0 || options.node >= options.world_size) {
    return Wrong("node", absl::StrCat(options.node),
                 absl::StrCat("0 to ", options.world_size - 1));
  }
  if (!options.transport) {
    return Wrong("transport", "empty", "a factory, such as that of Gloo");
  }
  if (options.plan_deadline <= absl::ZeroDuration()) {
    return Wrong("plan_deadline", absl::FormatDuration(options.plan_deadline),
                 "longer than 0");
  }
  if (options.attach_timeout <= absl::ZeroDuration()) {
    return Wrong("attach_timeout", absl::FormatDuration(options.attach_timeout),
                 "longer than 0");
  }
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
