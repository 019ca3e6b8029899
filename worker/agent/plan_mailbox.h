#ifndef BALANCEMOE_WORKER_AGENT_PLAN_MAILBOX_H_
#define BALANCEMOE_WORKER_AGENT_PLAN_MAILBOX_H_

#include <cstdint>
#include <optional>

#include "common/ids.h"
#include "common/planning/plan.h"
#include "worker/agent/agent.h"

namespace balancemoe::worker {

// A plan with the checksum of the bytes that it came as.
struct HeldPlan {
  Plan plan;
  uint64_t digest = 0;
};

// Keeps the plan for the layer that the worker is at, and nothing else:
// whatever is older, early, or of another life of the job is counted and
// dropped.
//
// A value without clock or lock. Holds at most one plan.
class PlanMailbox {
 public:
  // Which lives of the job to listen to, from now on.
  void Listen(JobEpoch epoch, Generation generation);
  // The worker comes to `layer`; what was held is dropped.
  void Expect(Iteration iteration, LayerId layer);

  // Whether the message was for the layer at hand and settles it.
  bool Deliver(HeldPlan plan);
  bool DeliverNoPlan(Iteration iteration, LayerId layer);
  // A plan that could not be decoded. Nobody knows for which layer it was, so
  // it ends the wait for this one: garbage must not cost plan deadlines.
  bool DeliverUnreadable();

  // Whether there is nothing more to wait for.
  bool settled() const { return settled_; }
  bool unreadable() const { return unreadable_; }
  // The plan held, if any; it is gone afterwards.
  std::optional<HeldPlan> Take();

  const DroppedPlans& dropped() const { return dropped_; }

 private:
  // -1, 0 or 1: how the message's place compares with the place at hand.
  int Compare(Iteration iteration, LayerId layer) const;
  bool IsForThisLayer(const Plan& plan);

  JobEpoch epoch_;
  Generation generation_;
  Iteration iteration_;
  LayerId layer_;
  std::optional<HeldPlan> held_;
  // Nothing is expected at first.
  bool settled_ = true;
  bool unreadable_ = false;
  DroppedPlans dropped_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_PLAN_MAILBOX_H_
