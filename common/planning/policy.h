#ifndef BALANCEMOE_COMMON_PLANNING_POLICY_H_
#define BALANCEMOE_COMMON_PLANNING_POLICY_H_

#include <cstdint>
#include <memory>
#include <optional>
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

  // `snapshot` must be valid. The plan is.
  virtual LayerPlan Decide(const LayerSnapshot& snapshot) const = 0;
};

// A policy and when it plans: "pairwise@inline".
struct PolicyChoice {
  std::string name;
  std::string mode;

  // From an iteration's exact counts, while its workers wait.
  bool plans_inline() const { return mode == "inline"; }
  // Ahead, with lends that every worker adds from the exact counts.
  bool tops_up() const { return mode == "hybrid"; }
  // "name@mode"
  std::string ToString() const;
  bool operator==(const PolicyChoice&) const = default;
};

// Who plans, and so what planning costs on the critical path of inline mode.
enum class Planner {
  kNobody,
  // The coordinator, a round trip away.
  kCoordinator,
  // Every worker alike, from the exact counts.
  kEveryWorker,
};

// What a policy is like, for those who run it.
struct PolicyTraits {
  absl::string_view name;
  // Modes that it can run in, its native one first.
  std::vector<absl::string_view> modes;
  Planner planner = Planner::kNobody;
  // Spare slots per worker that the published system works with; nullopt: as
  // many as there are experts.
  std::optional<int32_t> slots;
  // Whether a replay's own slots bind it instead.
  bool bound_by_option = false;
  // Whether it transfers only whole experts: then training learns the same bits
  // as without transfers, else the same up to rounding.
  bool whole_experts = false;
  // Whether its plans move homes.
  bool moves = false;
};

struct PolicyOptions {
  // Whether `adaptive` looks for the fewest copies that bring the imbalance
  // down to target_imbalance, instead of the shortest time.
  bool fewest_copies = false;
  double target_imbalance = 1;
};

// Parses "name" or "name@mode"; without a mode, the policy's own.
//
// Errors: InvalidArgument, listing what there is, for an unknown policy or
// mode; FailedPrecondition for a mode that the policy cannot run in.
absl::StatusOr<PolicyChoice> ParsePolicyChoice(absl::string_view text);

// What comes nearest to `choice` in a job that does not say when its steps end:
// plans made inline, where the policy can.
PolicyChoice WithinSteps(const PolicyChoice& choice);

// `choice` must come from ParsePolicyChoice.
std::unique_ptr<Policy> MakePolicy(const PolicyChoice& choice,
                                   const PolicyOptions& options = {});

// `name` must be one of PolicyNames().
const PolicyTraits& TraitsOf(absl::string_view name);

// Sorted.
std::vector<std::string> PolicyNames();

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_POLICY_H_
