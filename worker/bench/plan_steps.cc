#include "worker/bench/plan_steps.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/planning/layer_loads.h"
#include "common/planning/lend_quotas.h"
#include "common/planning/plan.h"
#include "common/planning/top_up.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

constexpr int32_t kSlots = 4;

std::vector<int64_t> TokensOfExperts(const LoadMatrix& tokens) {
  std::vector<int64_t> sums(static_cast<size_t>(tokens.num_experts()));
  for (int32_t w = 0; w < tokens.num_workers(); ++w) {
    const auto row = tokens.Row(WorkerRank(w));
    for (size_t e = 0; e < sums.size(); ++e) sums[e] += row[e];
  }
  return sums;
}

template <typename F>
double TimeUs(const Clock& clock, const F& call) {
  const absl::Time begin = clock.Now();
  call();
  return absl::ToDoubleMicroseconds(clock.Now() - begin);
}

}  // namespace

PlanSteps::PlanSteps(const PlanSize& size, const PolicyChoice& choice,
                     const Profile& profile, const Clock& clock)
    : choice_(choice),
      policy_(MakePolicy(choice)),
      inline_(choice.mode == "inline"),
      tops_up_(choice.mode == "hybrid" &&
               TraitsOf(choice.name).planner != Planner::kNobody),
      clock_(clock),
      loads_(size.workers, size.experts, {}) {
  snapshot_.home_of_expert = ContiguousPlacement(size.workers, size.experts);
  snapshot_.spare_slots.assign(static_cast<size_t>(size.workers), kSlots);
  snapshot_.node_of_worker = NodesOf(profile, size.workers);
  snapshot_.cost = CostModelOf(profile);
  // Of an iteration without a plan.
  Remember(loads_.Next());
}

absl::StatusOr<PlanTimes> PlanSteps::Next() {
  const LoadMatrix tokens = loads_.Next();
  snapshot_.iteration = Iteration(snapshot_.iteration.value() + 1);
  if (inline_) snapshot_.tokens = tokens;
  PlanTimes times;
  plan_ = Decide(snapshot_, times.solve_us);
  LayerSnapshot bare = snapshot_;
  bare.replicas.clear();
  bare.planned_ratio = 0;
  const LayerPlan from_scratch = Decide(bare, times.from_scratch_us);
  for (const LayerPlan* plan : {&std::as_const(plan_), &from_scratch}) {
    if (const absl::Status valid = ValidatePlan(*plan, snapshot_.home_of_expert,
                                                snapshot_.spare_slots);
        !valid.ok()) {
      return absl::InternalError(absl::StrCat(choice_.ToString(), ", plan ",
                                              snapshot_.iteration.value(), ": ",
                                              valid.message()));
    }
  }
  snapshot_.home_of_expert = HomesAfter(snapshot_.home_of_expert, plan_.moves);
  Split(tokens, times.split_us);
  BMOE_RETURN_IF_ERROR(CheckLends(tokens));
  Remember(tokens);
  return times;
}

LayerPlan PlanSteps::Decide(const LayerSnapshot& snapshot, double& us) const {
  LayerPlan plan;
  us = TimeUs(clock_, [&] { plan = policy_->Decide(snapshot); });
  return plan;
}

void PlanSteps::Split(const LoadMatrix& tokens, double& us) {
  const std::vector<Replica> planned = ReplicasOf(plan_);
  us = TimeUs(clock_, [&] {
    const LayerLoads loads(tokens, snapshot_.home_of_expert,
                           snapshot_.node_of_worker);
    lends_ =
        tops_up_
            ? TopUp(loads, snapshot_.cost, snapshot_.spare_slots, planned).lends
            : ResolveQuotas(plan_, loads, splitter_);
  });
}

// Home computes what the lends leave of an expert, so that no token is lost or
// there twice as long as that is not less than nothing.
absl::Status PlanSteps::CheckLends(const LoadMatrix& tokens) const {
  std::vector<int64_t> left = TokensOfExperts(tokens);
  std::set<Replica> borrowed;
  for (const Lend& lend : lends_) {
    left[lend.expert.index()] -= lend.tokens;
    if (lend.tokens >= 0 && left[lend.expert.index()] >= 0 &&
        lend.from == snapshot_.home_of_expert[lend.expert.index()] &&
        borrowed.insert({lend.expert, lend.to}).second) {
      continue;
    }
    return absl::InternalError(absl::StrCat(
        choice_.ToString(), ", plan ", snapshot_.iteration.value(), ": expert ",
        lend.expert.value(), " lent to worker ", lend.to.value(), " with ",
        lend.tokens, " tokens: more than there are, or twice"));
  }
  return absl::OkStatus();
}

// Where policies plan ahead, what they planned stays; top-ups and lends of
// inline plans are for one iteration.
void PlanSteps::Remember(const LoadMatrix& tokens) {
  if (!inline_) snapshot_.replicas = ReplicasOf(plan_);
  snapshot_.planned_ratio = plan_.planned_ratio;
  if (snapshot_.history.size() == kHistoryLength) {
    snapshot_.history.erase(snapshot_.history.begin());
  }
  snapshot_.history.push_back({snapshot_.iteration, TokensOfExperts(tokens)});
}

}  // namespace balancemoe::worker
