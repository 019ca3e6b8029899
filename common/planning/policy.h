#ifndef BALANCEMOE_COMMON_PLANNING_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_POLICY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// The decision procedure that makes a plan.
//
// Equal snapshots give equal plans, so that a plan can be replayed from a log
// and every rule tested without a cluster. Thread-safe: keeps no state.
class Policy {
 public:
  virtual ~Policy() = default;

  // As in --policy, without the mode.
  virtual absl::string_view name() const = 0;

  // `snapshot` must be valid. The plan is, and is never predicted to be slower
  // than no transfer at all.
  virtual LayerPlan Decide(const LayerSnapshot& snapshot) const = 0;
};

// A policy and when it plans: "pairwise@inline".
struct PolicyChoice {
  std::string name;
  std::string mode;

  // "name@mode"
  std::string ToString() const;
  bool operator==(const PolicyChoice&) const = default;
};

// Parses "name" or "name@mode"; without a mode, the policy's own.
//
// Errors: InvalidArgument, listing what there is, for an unknown policy or
// mode; FailedPrecondition for a mode that the policy cannot run in.
absl::StatusOr<PolicyChoice> ParsePolicyChoice(absl::string_view text);

// `choice` must come from ParsePolicyChoice.
std::unique_ptr<Policy> MakePolicy(const PolicyChoice& choice);

// Names of all policies, sorted.
std::vector<std::string> PolicyNames();

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_POLICY_H_
