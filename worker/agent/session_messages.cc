#include "worker/agent/session_messages.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "absl/time/time.h"
#include "common/wire/codec.h"

namespace balancemoe::worker {
namespace {

// Bounds on what the coordinator may ask for.
constexpr absl::Duration kFastestHeartbeat = absl::Milliseconds(20);
constexpr absl::Duration kSlowestHeartbeat = absl::Seconds(30);

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

v1::RegisterRequest MakeRegisterRequest(const AgentOptions& options,
                                        const JobPlacement& placement,
                                        Incarnation incarnation,
                                        Generation generation) {
  v1::RegisterRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_job_id(options.job_id);
  request.set_run_id(options.run_id);
  request.set_rank(options.rank.value());
  request.set_world_size(options.world_size);
  request.set_layers(options.layers);
  request.set_experts(options.experts_per_layer);
  request.set_expert_bytes(options.expert_bytes);
  request.set_spare_slots(options.spare_slots);
  request.set_node(options.node);
  request.set_worker_incarnation(incarnation.value());
  request.set_generation(generation.value());
  request.set_policy(options.policy);
  request.set_host(HostName());
  request.set_device("cpu");
  request.set_ends_steps(options.ends_steps);
  v1::Placement homes = ToProto(placement);
  request.set_placement_version(homes.version());
  request.mutable_home_of_expert()->Swap(homes.mutable_home_of_expert());
  return request;
}

v1::SessionRequest MakeLoadReport(const v1::Fencing& fencing,
                                  const LayerReport& loads) {
  v1::SessionRequest request;
  *request.mutable_fencing() = fencing;
  v1::LoadReport& report = *request.mutable_load_report();
  report.set_iteration(loads.iteration.value());
  for (const LayerId layer : loads.layers) report.add_layers(layer.value());
  report.mutable_tokens_per_expert()->Add(loads.tokens_per_expert.begin(),
                                          loads.tokens_per_expert.end());
  report.set_placement_version(loads.placement_version);
  return request;
}

v1::SessionRequest MakePlanResult(const v1::Fencing& fencing,
                                  const LayerOutcome& outcome) {
  v1::SessionRequest request;
  *request.mutable_fencing() = fencing;
  v1::PlanResult& result = *request.mutable_plan_result();
  result.set_plan_id(outcome.plan.value());
  result.set_iteration(outcome.iteration.value());
  result.set_layer(outcome.layer.value());
  result.set_outcome(static_cast<v1::PlanOutcome>(outcome.kind));
  result.set_layer_us(absl::ToDoubleMicroseconds(outcome.times.layer));
  result.set_plan_wait_us(absl::ToDoubleMicroseconds(outcome.plan_wait));
  result.set_peer_wait_us(absl::ToDoubleMicroseconds(outcome.peer_wait));
  result.set_exposed_transfer_us(
      absl::ToDoubleMicroseconds(outcome.times.exposed_transfer));
  result.set_transfer_bytes(outcome.times.transfer_bytes);
  return request;
}

Admission ReadAdmission(const v1::RegisterResponse& response,
                        const AgentOptions& options, Incarnation incarnation) {
  return {
      .session = {.fencing = {.job_id = options.job_id,
                              .rank = options.rank,
                              .session = SessionId(response.session_id()),
                              .epoch = JobEpoch(response.job_epoch()),
                              .coordinator = Incarnation(
                                  response.coordinator_incarnation()),
                              .worker = incarnation,
                              .generation = Generation(response.generation())},
                  .policy = response.policy()},
      .heartbeat_interval =
          std::clamp(absl::Milliseconds(response.heartbeat_interval_ms()),
                     kFastestHeartbeat, kSlowestHeartbeat)};
}

}  // namespace balancemoe::worker
