#include "common/planning/layer_snapshot.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

absl::Status ValidateWorker(const LayerSnapshot& snapshot, WorkerRank worker) {
  const int32_t slots = snapshot.spare_slots[worker.index()];
  if (slots < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "snapshot: worker ", worker.value(), " has ", slots, " spare slots"));
  }
  for (const int64_t tokens : snapshot.tokens.Row(worker)) {
    if (tokens >= 0 && tokens <= kMostTokens) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: worker ", worker.value(), " has a load of ",
                     tokens, " for one expert; loads are 0 to ", kMostTokens));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<WorkerRank> ContiguousPlacement(int32_t num_workers,
                                            int32_t num_experts) {
  std::vector<WorkerRank> home_of_expert;
  home_of_expert.reserve(static_cast<size_t>(num_experts));
  for (int64_t expert = 0; expert < num_experts; ++expert) {
    home_of_expert.emplace_back(
        static_cast<int32_t>(expert * num_workers / num_experts));
  }
  return home_of_expert;
}

absl::Status ValidateSnapshot(const LayerSnapshot& snapshot) {
  const int32_t workers = snapshot.tokens.num_workers();
  const int32_t experts = snapshot.tokens.num_experts();
  if (workers < 1 || experts < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: loads of ", workers, " workers and ", experts,
                     " experts; at least one of each"));
  }
  if (snapshot.home_of_expert.size() != static_cast<size_t>(experts)) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: ", snapshot.home_of_expert.size(),
                     " homes for ", experts, " experts"));
  }
  if (snapshot.spare_slots.size() != static_cast<size_t>(workers)) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: ", snapshot.spare_slots.size(),
                     " slot counts for ", workers, " workers"));
  }
  for (int32_t expert = 0; expert < experts; ++expert) {
    const int32_t home =
        snapshot.home_of_expert[static_cast<size_t>(expert)].value();
    if (home < 0 || home >= workers) {
      return absl::InvalidArgumentError(
          absl::StrCat("snapshot: expert ", expert, " lives on worker ", home,
                       "; workers are 0 to ", workers - 1));
    }
  }
  for (int32_t worker = 0; worker < workers; ++worker) {
    BMOE_RETURN_IF_ERROR(ValidateWorker(snapshot, WorkerRank(worker)));
  }
  return ValidateCostModel(snapshot.cost);
}

}  // namespace balancemoe
