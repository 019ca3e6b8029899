#ifndef BALANCEMOE_COMMON_WIRE_CODEC_H_
#define BALANCEMOE_COMMON_WIRE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "balancemoe/v1/coordinator.pb.h"
#include "common/fencing.h"
#include "common/planning/cost_model.h"
#include "common/planning/job_placement.h"
#include "common/planning/plan.h"
#include "common/planning/step_plan.h"

namespace balancemoe {

// The protocol this build speaks; Register refuses others.
inline constexpr uint32_t kProtocolVersion = 1;

// The canonical bytes of a plan: what is pushed, and what the digest is over.
// Of the decision, what workers carry out and report: moves, lends, split rule,
// fan-out, forecast and reason; of the cost model, what chooses routes, where
// an expert goes to several workers.
std::string EncodePlan(const Plan& plan);

// Errors: InvalidArgument for bytes that are no Plan, arrays of unequal length,
// an unknown split rule or fan-out, or a cost model that is not valid. Whether
// the transfers fit a placement and the counts is for ValidatePlan and
// ValidateQuotas. `expert_bytes` does not travel.
absl::StatusOr<Plan> DecodePlan(absl::string_view bytes, int64_t expert_bytes);

// The canonical bytes of a plan made ahead.
std::string EncodeStepPlan(const StepPlan& plan);
// Errors: as DecodePlan.
absl::StatusOr<StepPlan> DecodeStepPlan(absl::string_view bytes,
                                        int64_t expert_bytes);

v1::Placement ToProto(const JobPlacement& placement);
// Errors: InvalidArgument for what is no placement of such a job.
absl::StatusOr<JobPlacement> FromProto(const v1::Placement& placement,
                                       int32_t layers, int32_t num_workers,
                                       int32_t num_experts);

v1::Fencing ToProto(const Fencing& fencing);
Fencing FromProto(const v1::Fencing& fencing);

// `expert_bytes` travels in Register and is not part of the message.
v1::Calibration ToProto(const CostModel& model);
// Errors: InvalidArgument, naming the field, for a model that is not valid.
absl::StatusOr<CostModel> FromProto(const v1::Calibration& calibration,
                                    int64_t expert_bytes);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_WIRE_CODEC_H_
