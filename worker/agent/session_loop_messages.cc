// What SessionLoop does with the messages of the coordinator.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/wire/codec.h"
#include "worker/agent/session_loop.h"

namespace balancemoe::worker {

void SessionLoop::OnMessage(const v1::SessionResponse& message) {
  {
    MutexLock lock(&mutex_);
    last_heard_ = clock_.Now();
  }
  switch (message.message_case()) {
    case v1::SessionResponse::kHelloAck:
      OnHelloAck();
      break;
    case v1::SessionResponse::kPlan:
      OnPlan(message.plan());
      break;
    case v1::SessionResponse::kStepPlan:
      OnStepPlan(message.step_plan());
      break;
    case v1::SessionResponse::kNoPlan:
      listener_.OnNoPlan(Iteration(message.no_plan().iteration()),
                         LayerId(message.no_plan().layer()));
      break;
    case v1::SessionResponse::kHeartbeat:
      OnAnswer(message.heartbeat());
      break;
    case v1::SessionResponse::kConfigUpdate:
      OnConfigUpdate(message.config_update());
      break;
    case v1::SessionResponse::kDrain:
      OnDrain(message.drain());
      break;
    case v1::SessionResponse::kFence:
      // The coordinator ends the stream after it.
      log_.Write("fence", absl::StrCat("the coordinator ended the session: ",
                                       message.fence().reason()));
      break;
    case v1::SessionResponse::MESSAGE_NOT_SET:
      // From a later version, or nonsense.
      break;
  }
}

void SessionLoop::OnHelloAck() {
  std::shared_ptr<Connection> connection;
  std::optional<CostModel> cost_model;
  JobPlacement placement;
  {
    MutexLock lock(&mutex_);
    if (connection_ == nullptr || attached_ || stream_end_) return;
    attached_ = true;
    connection_->admission.session.number = ++sessions_;
    last_error_ = absl::OkStatus();
    connection = connection_;
    cost_model = cost_model_;
    placement = placement_;
    backoff_.Reset();
  }
  if (cost_model) SetCostModel(*cost_model);
  // Homes may have changed since this worker registered.
  if (placement.version != connection->placement_version) {
    SendPlacement(*connection, placement);
  }
  const Fencing& fencing = connection->admission.session.fencing;
  log_.Write(
      "attached",
      absl::StrCat("attached to coordinator ", options_.coordinator, ", job ",
                   options_.job_id, " epoch ", fencing.epoch.value(),
                   " generation ", fencing.generation.value()));
  // After the session may be used: who hears of it will use it.
  listener_.OnAttached(connection->admission.session);
  MutexLock lock(&mutex_);
  announced_ = connection->admission.session.number;
  changed_.NotifyAll();
}

void SessionLoop::OnPlan(const v1::PlanPush& push) {
  absl::StatusOr<Plan> plan = DecodePlan(push.plan(), options_.expert_bytes);
  if (!plan.ok()) {
    listener_.OnUnreadablePlan(plan.status());
    return;
  }
  listener_.OnPlan({.plan = *std::move(plan), .digest = Checksum(push.plan())});
}

// Nobody waits for a plan made ahead, so one that cannot be read is only
// logged.
void SessionLoop::OnStepPlan(const v1::PlanPush& push) {
  absl::StatusOr<StepPlan> plan =
      DecodeStepPlan(push.plan(), options_.expert_bytes);
  if (!plan.ok()) {
    log_.Write("invalid",
               absl::StrCat("plan refused: ", plan.status().message()));
    return;
  }
  listener_.OnStepPlan(
      {.plan = *std::move(plan), .digest = Checksum(push.plan())});
}

void SessionLoop::OnAnswer(const v1::Heartbeat& answer) {
  {
    MutexLock lock(&mutex_);
    // Of a heartbeat that was never sent: not an answer.
    if (answer.sequence() >= next_heartbeat_) return;
  }
  listener_.OnAnswer(answer.sequence());
}

void SessionLoop::OnConfigUpdate(const v1::ConfigUpdate& update) {
  {
    MutexLock lock(&mutex_);
    policy_ = update.policy();
  }
  log_.Write("policy",
             absl::StrCat("policy ", update.policy(), " from iteration ",
                          update.first_iteration()));
  listener_.OnPolicy(update.policy(), Iteration(update.first_iteration()));
}

void SessionLoop::OnDrain(const v1::Drain& drain) {
  MutexLock lock(&mutex_);
  drain_ = absl::Milliseconds(drain.reconnect_after_ms());
  changed_.NotifyAll();
}

void SessionLoop::OnStreamEnd(absl::Status status) {
  bool was_attached = false;
  {
    MutexLock lock(&mutex_);
    was_attached = std::exchange(attached_, false);
    stream_end_ = std::move(status);
    changed_.NotifyAll();
  }
  if (was_attached) listener_.OnDetached();
}

}  // namespace balancemoe::worker
