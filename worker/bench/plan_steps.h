#ifndef BALANCEMOE_WORKER_BENCH_PLAN_STEPS_H_
#define BALANCEMOE_WORKER_BENCH_PLAN_STEPS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/load_matrix.h"
#include "common/planning/policy.h"
#include "common/planning/profile.h"
#include "common/planning/quota_split.h"
#include "worker/bench/drifting_loads.h"

namespace balancemoe::worker {

// A layer to plan for.
struct PlanSize {
  int32_t workers = 0;
  int32_t experts = 0;

  bool operator==(const PlanSize&) const = default;
};

// What one plan took.
struct PlanTimes {
  // From what is in place.
  double solve_us = 0;
  // Of the same snapshot with nothing in place.
  double from_scratch_us = 0;
  // What every worker does on the critical path with the exact counts: quotas,
  // and in hybrid mode the top-up.
  double split_us = 0;
};

// Plans one layer for one iteration after the other, as a coordinator does that
// keeps what each plan puts in place. Nothing but the calls themselves is
// timed, and no time counts of a plan that is wrong.
class PlanSteps {
 public:
  // `clock` must outlive this.
  PlanSteps(const PlanSize& size, const PolicyChoice& choice,
            const Profile& profile, const Clock& clock);

  // Errors: Internal, for a plan that is not valid or does not say for each
  // token who computes it.
  absl::StatusOr<PlanTimes> Next();

  // The latest plan.
  const LayerPlan& plan() const { return plan_; }
  // Its lends with the tokens of the exact counts, top-ups included.
  const std::vector<Lend>& lends() const { return lends_; }

 private:
  LayerPlan Decide(const LayerSnapshot& snapshot, double& us) const;
  void Split(const LoadMatrix& tokens, double& us);
  absl::Status CheckLends(const LoadMatrix& tokens) const;
  void Remember(const LoadMatrix& tokens);

  const PolicyChoice choice_;
  const std::unique_ptr<Policy> policy_;
  const bool inline_;
  const bool tops_up_;
  const Clock& clock_;
  DriftingLoads loads_;
  LayerSnapshot snapshot_;
  QuotaSplitter splitter_;
  LayerPlan plan_;
  std::vector<Lend> lends_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_PLAN_STEPS_H_
