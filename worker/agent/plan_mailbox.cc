#include "worker/agent/plan_mailbox.h"

#include <tuple>
#include <utility>

namespace balancemoe::worker {

void PlanMailbox::Listen(JobEpoch epoch, Generation generation) {
  epoch_ = epoch;
  generation_ = generation;
}

void PlanMailbox::Expect(Iteration iteration, LayerId layer) {
  iteration_ = iteration;
  layer_ = layer;
  held_.reset();
  settled_ = false;
  unreadable_ = false;
}

int PlanMailbox::Compare(Iteration iteration, LayerId layer) const {
  const auto message = std::tie(iteration, layer);
  const auto present = std::tie(iteration_, layer_);
  return message < present ? -1 : message > present ? 1 : 0;
}

bool PlanMailbox::IsForThisLayer(const Plan& plan) {
  if (plan.epoch != epoch_) {
    ++dropped_.other_epoch;
  } else if (plan.generation != generation_) {
    ++dropped_.other_generation;
  } else if (const int place = Compare(plan.iteration, plan.layer); place < 0) {
    ++dropped_.older;
  } else if (place > 0) {
    ++dropped_.early;
  } else if (settled_) {
    ++dropped_.surplus;
  } else {
    return true;
  }
  return false;
}

bool PlanMailbox::Deliver(HeldPlan plan) {
  if (!IsForThisLayer(plan.plan)) return false;
  held_ = std::move(plan);
  settled_ = true;
  return true;
}

bool PlanMailbox::DeliverNoPlan(Iteration iteration, LayerId layer) {
  if (settled_ || Compare(iteration, layer) != 0) return false;
  settled_ = true;
  return true;
}

bool PlanMailbox::DeliverUnreadable() {
  ++dropped_.unreadable;
  if (settled_) return false;
  unreadable_ = true;
  settled_ = true;
  return true;
}

std::optional<HeldPlan> PlanMailbox::Take() {
  settled_ = true;
  return std::exchange(held_, std::nullopt);
}

}  // namespace balancemoe::worker
