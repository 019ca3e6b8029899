#ifndef BALANCEMOE_COMMON_PLANNING_PLAN_H_
#define BALANCEMOE_COMMON_PLANNING_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"

namespace balancemoe {

// Lend::tokens of a borrower that computes all of the expert's tokens.
inline constexpr int64_t kAllTokens = -1;
// The whole of an expert's tokens in SplitRule::kShares.
inline constexpr int64_t kShareUnit = 1'000'000;

// A transfer for one iteration: `to` computes tokens of the expert and returns
// the gradient; home and optimizer state stay at `from`. Kept over iterations
// it is a replica.
struct Lend {
  ExpertId expert;
  WorkerRank from;
  WorkerRank to;
  // What it means says the plan's SplitRule.
  int64_t tokens = kAllTokens;

  auto operator<=>(const Lend&) const = default;
};

// A lasting transfer: the expert's home changes, with its optimizer state, when
// the step of the iteration has ended.
struct Move {
  ExpertId expert;
  WorkerRank from;
  WorkerRank to;

  auto operator<=>(const Move&) const = default;
};

// A copy of an expert on a worker that is not its home.
struct Replica {
  ExpertId expert;
  WorkerRank worker;

  auto operator<=>(const Replica&) const = default;
};

// How an expert's tokens are divided between its home and its borrowers.
enum class SplitRule {
  // Lend::tokens of them, or all; home computes the rest.
  kExact,
  // Lend::tokens are parts of kShareUnit of whatever the counts turn out to be.
  kShares,
  // By QuotaSplitter from the counts; Lend::tokens mean nothing.
  kMinMax,
};

// How an expert that several workers borrow reaches them, and its gradients
// come home.
enum class FanOut {
  // As a relay, as a tree or one by one, whichever is cheapest.
  kCheapest,
  // From home to each of them, as systems without relays do.
  kOneByOne,
};

// What a policy decides for one layer.
struct LayerPlan {
  // Count as made before the lends, whose `from` is the home after them. In
  // their own iteration they are carried out as lends, see MovesAsLends.
  std::vector<Move> moves;
  // In the order in which they travel; those of one expert stand together.
  std::vector<Lend> lends;
  SplitRule split = SplitRule::kExact;
  FanOut fan_out = FanOut::kCheapest;
  // Forecast of the layer's time, forward and backward, without and with the
  // plan.
  double predicted_before_us = 0;
  double predicted_after_us = 0;
  // For policies that keep replicas: predicted time over the lower bound when
  // they were chosen, by which the next decision sees whether they still serve.
  double planned_ratio = 0;
  // False when a first look showed that no plan can pay.
  bool searched = true;
  // Why this plan, or why none; for operators.
  std::string reason;

  // Whether it transfers nothing.
  bool empty() const { return moves.empty() && lends.empty(); }

  bool operator==(const LayerPlan&) const = default;
};

// A plan as it travels: a LayerPlan with its place in the job.
struct Plan {
  PlanId id;
  JobEpoch epoch;
  Generation generation;
  Iteration iteration;
  LayerId layer;
  // "policy@mode" that made it.
  std::string policy;
  // By which every worker chooses the routes of experts that several borrow;
  // of no account where none is.
  CostModel cost;
  LayerPlan decision;

  bool operator==(const Plan&) const = default;
};

// Checks a decision against the placement that it was made for, so that no
// wrong plan is ever carried out.
//
// Errors: InvalidArgument, naming the move or lend: an expert or worker out of
// range; a `from` that is not the home; a lend to oneself; a worker that
// borrows the same expert twice, or more experts than its `spare_slots`; lends
// of one expert that do not stand together; tokens that do not fit the split
// rule; an expert moved twice or to where it is.
absl::Status ValidatePlan(const LayerPlan& plan,
                          absl::Span<const WorkerRank> home_of_expert,
                          absl::Span<const int32_t> spare_slots);

// What the plan's lends put in place, rising.
std::vector<Replica> ReplicasOf(const LayerPlan& plan);

// Homes after `moves`, [E].
std::vector<WorkerRank> HomesAfter(absl::Span<const WorkerRank> home_of_expert,
                                   absl::Span<const Move> moves);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PLAN_H_
