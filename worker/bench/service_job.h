#ifndef BALANCEMOE_WORKER_BENCH_SERVICE_JOB_H_
#define BALANCEMOE_WORKER_BENCH_SERVICE_JOB_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/cost_model.h"
#include "common/planning/load_matrix.h"
#include "common/planning/plan.h"
#include "common/planning/policy.h"

namespace balancemoe::worker {

// The job that simulated workers pretend to be, and what a coordinator must
// answer to it. Values and pure functions.
struct ServiceJob {
  std::string job_id = "bench";
  int32_t workers = 64;
  int32_t layers = 1;
  // Per layer.
  int32_t experts = 128;
  // Experts that each worker can borrow at a time, per layer.
  int32_t spare_slots = 2;
  PolicyChoice policy;
};

// What each worker says that it measured.
CostModel SimulatedCostModel();

// What the workers say that they routed in `layer`, the same in every
// iteration: the experts of worker 0 are the hottest in layer 0, those of
// another worker in the next layer. [W, E]
LoadMatrix SimulatedLoads(const ServiceJob& job, LayerId layer);

// What the job's policy decides about those loads.
LayerPlan ExpectedDecision(const ServiceJob& job, LayerId layer);

// Checks the bytes of the plans that the workers got, by rank.
//
// Errors: Internal, naming the worker whose bytes differ from those of worker
// 0, or what of the plan is not as it must be.
absl::Status CheckPlans(const ServiceJob& job, const LayerPlan& expected,
                        Iteration iteration, LayerId layer,
                        absl::Span<const absl::string_view> plans);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_SERVICE_JOB_H_
