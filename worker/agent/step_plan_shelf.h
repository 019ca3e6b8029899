#ifndef BALANCEMOE_WORKER_AGENT_STEP_PLAN_SHELF_H_
#define BALANCEMOE_WORKER_AGENT_STEP_PLAN_SHELF_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/step_plan.h"

namespace balancemoe::worker {

// A plan made ahead, with the checksum of the bytes that it came as.
struct HeldStepPlan {
  StepPlan plan;
  uint64_t digest = 0;
};

// What a worker says of the plans that it holds. Travels between workers as
// these bytes.
struct StepPlanOffer {
  static constexpr size_t kMost = 4;

  struct Entry {
    // 0: nothing.
    uint64_t id = 0;
    uint64_t digest = 0;
  };

  // Whether the worker wants to go by plans made ahead.
  uint64_t willing = 0;
  // Newest first.
  std::array<Entry, kMost> held = {};
};
static_assert(sizeof(StepPlanOffer) == 8 + 16 * StepPlanOffer::kMost);

// What all workers conclude from the same offers.
struct StepPlanVerdict {
  // Everybody wants to go by plans made ahead.
  bool willing = false;
  // The newest plan that every worker holds, with the same bytes; 0: none.
  PlanId plan;
};

// A pure function, so that equal offers give equal verdicts everywhere.
StepPlanVerdict SettleStepPlan(absl::Span<const StepPlanOffer> offers);

// Keeps the newest plans made ahead. A message reaches one worker sooner than
// another, so that the newest alone would often not be what all hold.
//
// A value without clock or lock, cheap to copy.
class StepPlanShelf {
 public:
  // Which lives of the job to listen to, from now on. Plans of others go.
  void Listen(JobEpoch epoch, Generation generation);

  // Keeps the plan; false for one of another life, or no newer than those held.
  bool Deliver(HeldStepPlan plan);

  // Of the plans that fit these homes: those made before they changed are void.
  StepPlanOffer Offer(bool willing, uint64_t placement_version) const;

  // Null when it is not held.
  const StepPlan* Find(PlanId id) const;

 private:
  JobEpoch epoch_;
  Generation generation_;
  // Oldest first; shared with copies.
  std::deque<std::shared_ptr<const HeldStepPlan>> plans_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_STEP_PLAN_SHELF_H_
