#ifndef BALANCEMOE_WORKER_AGENT_PLAN_INBOX_H_
#define BALANCEMOE_WORKER_AGENT_PLAN_INBOX_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/agent/agreement.h"
#include "worker/agent/plan_mailbox.h"
#include "worker/agent/plan_wait.h"
#include "worker/agent/session_client.h"

namespace balancemoe::worker {

// Where the training thread meets what comes from the coordinator: PlanMailbox
// and PlanWait behind a lock, with a wait that ends as soon as waiting is of no
// more use. Thread-safe.
class PlanInbox final : public SessionListener {
 public:
  // `clock` must outlive the inbox.
  explicit PlanInbox(const Clock& clock) : clock_(clock) {}

  // The group is formed: from now on, sessions of `generation` bring plans.
  void GroupFormed(Generation generation) ABSL_LOCKS_EXCLUDED(mutex_);
  // There will be no more sessions.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  bool attached() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The worker comes to `layer`. Whether it is willing to wait for a plan.
  bool Expect(Iteration iteration, LayerId layer) ABSL_LOCKS_EXCLUDED(mutex_);

  // What a wait brought: kPlan with `plan`, kInvalid for bytes that were none,
  // kMissed after the deadline, kNothing when the coordinator said that there
  // is none, or went away.
  struct Received {
    Holding holding = Holding::kNothing;
    std::optional<HeldPlan> plan;
  };
  Received Await(absl::Duration deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether plans for `iteration` are made ahead, as far as the coordinator
  // said; its last word holds while it is away.
  bool PlansAhead(Iteration iteration) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The plans made ahead that are held now.
  StepPlanShelf shelf() const ABSL_LOCKS_EXCLUDED(mutex_);

  // As PlanWait::Missed.
  void Missed(uint64_t next_heartbeat) ABSL_LOCKS_EXCLUDED(mutex_);

  DroppedPlans dropped() const ABSL_LOCKS_EXCLUDED(mutex_);

  void OnAttached(const SessionInfo& session) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDetached() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnPlan(HeldPlan plan) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStepPlan(HeldStepPlan plan) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnPolicy(const std::string& policy, Iteration first) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnUnreadablePlan(const absl::Status& why) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnNoPlan(Iteration iteration, LayerId layer) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAnswer(uint64_t heartbeat) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void ListenToSession() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;

  mutable Mutex mutex_;
  CondVar changed_;
  PlanMailbox mailbox_ ABSL_GUARDED_BY(mutex_);
  StepPlanShelf shelf_ ABSL_GUARDED_BY(mutex_);
  // Whether the policy plans ahead: before `policy_since_`, and from then on.
  bool planned_ahead_ ABSL_GUARDED_BY(mutex_) = false;
  bool plans_ahead_ ABSL_GUARDED_BY(mutex_) = false;
  Iteration policy_since_ ABSL_GUARDED_BY(mutex_);
  PlanWait wait_ ABSL_GUARDED_BY(mutex_);
  // The session that is open, if any.
  std::optional<SessionInfo> session_ ABSL_GUARDED_BY(mutex_);
  // Of the group; 0 before it is formed.
  Generation generation_ ABSL_GUARDED_BY(mutex_);
  // The session in which the present layer's plan is awaited: another one knows
  // nothing of it.
  int64_t awaited_session_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_PLAN_INBOX_H_
