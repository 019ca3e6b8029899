#include "worker/agent/step_plan_shelf.h"

#include <algorithm>
#include <utility>

namespace balancemoe::worker {
namespace {

bool Holds(const StepPlanOffer& offer, const StepPlanOffer::Entry& entry) {
  return std::any_of(offer.held.begin(), offer.held.end(),
                     [&](const StepPlanOffer::Entry& other) {
                       return other.id == entry.id &&
                              other.digest == entry.digest;
                     });
}

}  // namespace

StepPlanVerdict SettleStepPlan(absl::Span<const StepPlanOffer> offers) {
  StepPlanVerdict verdict;
  verdict.willing =
      !offers.empty() &&
      std::all_of(offers.begin(), offers.end(), [](const StepPlanOffer& offer) {
        return offer.willing == 1;
      });
  if (!verdict.willing) return verdict;
  for (const StepPlanOffer::Entry& entry : offers.front().held) {
    if (entry.id <= verdict.plan.value()) continue;
    const bool all = std::all_of(
        offers.begin(), offers.end(),
        [&](const StepPlanOffer& offer) { return Holds(offer, entry); });
    if (all) verdict.plan = PlanId(entry.id);
  }
  return verdict;
}

void StepPlanShelf::Listen(JobEpoch epoch, Generation generation) {
  if (epoch == epoch_ && generation == generation_) return;
  epoch_ = epoch;
  generation_ = generation;
  plans_.clear();
}

bool StepPlanShelf::Deliver(HeldStepPlan plan) {
  if (plan.plan.epoch != epoch_ || plan.plan.generation != generation_ ||
      plan.plan.id == PlanId(0)) {
    return false;
  }
  if (!plans_.empty() && plan.plan.id <= plans_.back()->plan.id) return false;
  if (plans_.size() == StepPlanOffer::kMost) plans_.pop_front();
  plans_.push_back(std::make_shared<const HeldStepPlan>(std::move(plan)));
  return true;
}

StepPlanOffer StepPlanShelf::Offer(bool willing,
                                   uint64_t placement_version) const {
  StepPlanOffer offer;
  offer.willing = willing ? 1 : 0;
  size_t next = 0;
  for (size_t i = plans_.size(); i-- > 0;) {
    const HeldStepPlan& held = *plans_[i];
    if (held.plan.placement_version != placement_version) continue;
    offer.held[next++] = {held.plan.id.value(), held.digest};
  }
  return offer;
}

const StepPlan* StepPlanShelf::Find(PlanId id) const {
  const auto found =
      std::find_if(plans_.begin(), plans_.end(),
                   [id](const auto& held) { return held->plan.id == id; });
  return found == plans_.end() ? nullptr : &(*found)->plan;
}

}  // namespace balancemoe::worker
