#include "coordinator/admission.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/planning/job_placement.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"

namespace balancemoe::coordinator {
namespace {

constexpr size_t kLongestId = 128;
// Numbers that count something real stay far below.
constexpr uint64_t kLastGeneration = uint64_t{1} << 53;
constexpr int64_t kMostExpertBytes = int64_t{1} << 50;

absl::Status CheckRange(absl::string_view name, int64_t value, int64_t most) {
  if (value < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", value, "; must be at least 1"));
  }
  if (value > most) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, ": ", value, " is over the limit of ", most));
  }
  return absl::OkStatus();
}

absl::Status CheckIds(const v1::RegisterRequest& request) {
  if (request.protocol_version() != kProtocolVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "protocol version: the worker speaks ", request.protocol_version(),
        ", the coordinator ", kProtocolVersion));
  }
  BMOE_RETURN_IF_ERROR(ValidateJobId(request.job_id()));
  if (request.run_id().empty() || request.run_id().size() > kLongestId) {
    return absl::InvalidArgumentError(
        absl::StrCat("run_id: ", request.run_id().size(),
                     " characters; must be 1 to ", kLongestId));
  }
  if (request.worker_incarnation() == 0) {
    return absl::InvalidArgumentError("worker_incarnation: must not be 0");
  }
  if (request.generation() > kLastGeneration) {
    return absl::InvalidArgumentError(
        absl::StrCat("generation: ", request.generation(), " is none"));
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const v1::RegisterRequest& request,
                        const AdmissionLimits& limits) {
  BMOE_RETURN_IF_ERROR(
      CheckRange("world_size", request.world_size(), limits.workers));
  BMOE_RETURN_IF_ERROR(CheckRange("layers", request.layers(), limits.layers));
  BMOE_RETURN_IF_ERROR(
      CheckRange("experts", request.experts(), limits.experts));
  BMOE_RETURN_IF_ERROR(
      CheckRange("expert_bytes", request.expert_bytes(), kMostExpertBytes));
  if (request.rank() < 0 || request.rank() >= request.world_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "rank: ", request.rank(), " in a world of ", request.world_size()));
  }
  if (request.spare_slots() < 0 || request.spare_slots() > request.experts()) {
    return absl::InvalidArgumentError(
        absl::StrCat("spare_slots: ", request.spare_slots(), " for ",
                     request.experts(), " experts"));
  }
  if (request.node() < 0 || request.node() >= request.world_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "node: ", request.node(), "; ", request.world_size(),
        " workers are on nodes from 0 to ", request.world_size() - 1));
  }
  return absl::OkStatus();
}

absl::StatusOr<JobPlacement> DecodePlacement(
    const v1::RegisterRequest& request) {
  if (request.home_of_expert().empty() && request.placement_version() == 0) {
    return FirstPlacement(request.layers(), request.world_size(),
                          request.experts());
  }
  v1::Placement placement;
  placement.set_version(request.placement_version());
  *placement.mutable_home_of_expert() = request.home_of_expert();
  return FromProto(placement, request.layers(), request.world_size(),
                   request.experts());
}

}  // namespace

absl::Status ValidateJobId(const JobId& job_id) {
  const bool visible = std::all_of(job_id.begin(), job_id.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!job_id.empty() && job_id.size() <= kLongestId && visible) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("job_id: must have 1 to ", kLongestId,
                   " visible ASCII characters and no white space"));
}

absl::StatusOr<Registration> DecodeRegistration(
    const v1::RegisterRequest& request, const AdmissionLimits& limits) {
  BMOE_RETURN_IF_ERROR(CheckIds(request));
  BMOE_RETURN_IF_ERROR(CheckSizes(request, limits));
  BMOE_ASSIGN_OR_RETURN(JobPlacement placement, DecodePlacement(request));
  return Registration{.job_id = request.job_id(),
                      .run_id = request.run_id(),
                      .rank = WorkerRank(request.rank()),
                      .shape = {.world_size = request.world_size(),
                                .layers = request.layers(),
                                .experts = request.experts(),
                                .expert_bytes = request.expert_bytes()},
                      .spare_slots = request.spare_slots(),
                      .node = request.node(),
                      .incarnation = Incarnation(request.worker_incarnation()),
                      .generation = Generation(request.generation()),
                      .placement = std::move(placement),
                      .ends_steps = request.ends_steps()};
}

}  // namespace balancemoe::coordinator
