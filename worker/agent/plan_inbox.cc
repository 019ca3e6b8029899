#include "worker/agent/plan_inbox.h"

#include <utility>

#include "common/planning/policy.h"

namespace balancemoe::worker {
namespace {

bool PlansAheadBy(const std::string& policy) {
  const auto choice = ParsePolicyChoice(policy);
  return choice.ok() && !choice->plans_inline();
}

}  // namespace

void PlanInbox::GroupFormed(Generation generation) {
  MutexLock lock(&mutex_);
  generation_ = generation;
  ListenToSession();
}

void PlanInbox::Close() { OnDetached(); }

bool PlanInbox::attached() const {
  MutexLock lock(&mutex_);
  return session_.has_value();
}

bool PlanInbox::Expect(Iteration iteration, LayerId layer) {
  MutexLock lock(&mutex_);
  mailbox_.Expect(iteration, layer);
  awaited_session_ = session_.has_value() ? session_->number : 0;
  return wait_.MayWait();
}

PlanInbox::Received PlanInbox::Await(absl::Duration deadline) {
  const absl::Time end = clock_.Now() + deadline;
  MutexLock lock(&mutex_);
  while (!mailbox_.settled()) {
    if (!session_.has_value() || session_->number != awaited_session_) {
      mailbox_.Take();
      return {};
    }
    const absl::Duration left = end - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      mailbox_.Take();
      return {.holding = Holding::kMissed, .plan = std::nullopt};
    }
    changed_.WaitFor(&mutex_, left);
  }
  if (mailbox_.unreadable()) {
    return {.holding = Holding::kInvalid, .plan = std::nullopt};
  }
  wait_.Arrived();
  std::optional<HeldPlan> plan = mailbox_.Take();
  const Holding holding = plan.has_value() ? Holding::kPlan : Holding::kNothing;
  return {.holding = holding, .plan = std::move(plan)};
}

void PlanInbox::Missed(uint64_t next_heartbeat) {
  MutexLock lock(&mutex_);
  wait_.Missed(next_heartbeat);
}

DroppedPlans PlanInbox::dropped() const {
  MutexLock lock(&mutex_);
  return mailbox_.dropped();
}

void PlanInbox::ListenToSession() {
  // A session of another generation speaks of a group that this worker is not
  // in.
  if (!session_.has_value() || session_->fencing.generation != generation_) {
    return;
  }
  mailbox_.Listen(session_->fencing.epoch, generation_);
  shelf_.Listen(session_->fencing.epoch, generation_);
  wait_.Attached();
}

void PlanInbox::OnAttached(const SessionInfo& session) {
  MutexLock lock(&mutex_);
  session_ = session;
  planned_ahead_ = plans_ahead_ = PlansAheadBy(session.policy);
  policy_since_ = Iteration(0);
  ListenToSession();
}

void PlanInbox::OnDetached() {
  MutexLock lock(&mutex_);
  session_.reset();
  wait_.Detached();
  changed_.NotifyAll();
}

void PlanInbox::OnPlan(HeldPlan plan) {
  MutexLock lock(&mutex_);
  if (mailbox_.Deliver(std::move(plan))) changed_.NotifyAll();
}

bool PlanInbox::PlansAhead(Iteration iteration) const {
  MutexLock lock(&mutex_);
  return iteration < policy_since_ ? planned_ahead_ : plans_ahead_;
}

StepPlanShelf PlanInbox::shelf() const {
  MutexLock lock(&mutex_);
  return shelf_;
}

void PlanInbox::OnStepPlan(HeldStepPlan plan) {
  MutexLock lock(&mutex_);
  shelf_.Deliver(std::move(plan));
}

void PlanInbox::OnPolicy(const std::string& policy, Iteration first) {
  MutexLock lock(&mutex_);
  planned_ahead_ = plans_ahead_;
  plans_ahead_ = PlansAheadBy(policy);
  policy_since_ = first;
}

void PlanInbox::OnUnreadablePlan(const absl::Status&) {
  MutexLock lock(&mutex_);
  if (mailbox_.DeliverUnreadable()) changed_.NotifyAll();
}

void PlanInbox::OnNoPlan(Iteration iteration, LayerId layer) {
  MutexLock lock(&mutex_);
  if (mailbox_.DeliverNoPlan(iteration, layer)) changed_.NotifyAll();
}

void PlanInbox::OnAnswer(uint64_t heartbeat) {
  MutexLock lock(&mutex_);
  wait_.Answered(heartbeat);
}

}  // namespace balancemoe::worker
