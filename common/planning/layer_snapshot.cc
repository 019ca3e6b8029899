#include "common/planning/layer_snapshot.h"

#include <algorithm>
#include <cstddef>
#include <utility>

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
  if (!snapshot.spare_bytes.empty() &&
      snapshot.spare_bytes[worker.index()] < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: worker ", worker.value(), " has ",
                     snapshot.spare_bytes[worker.index()], " spare bytes"));
  }
  if (!snapshot.node_of_worker.empty()) {
    const int32_t node = snapshot.node_of_worker[worker.index()];
    if (node < 0 || node >= snapshot.num_workers()) {
      return absl::InvalidArgumentError(
          absl::StrCat("snapshot: worker ", worker.value(), " is on node ",
                       node, "; nodes are 0 to ", snapshot.num_workers() - 1));
    }
  }
  if (snapshot.tokens.num_workers() == 0) return absl::OkStatus();
  for (const int64_t tokens : snapshot.tokens.Row(worker)) {
    if (tokens >= 0 && tokens <= kMostTokens) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: worker ", worker.value(), " has a load of ",
                     tokens, " for one expert; loads are 0 to ", kMostTokens));
  }
  return absl::OkStatus();
}

// Tokens may be missing where history tells enough.
absl::Status ValidateSizes(const LayerSnapshot& snapshot) {
  const int32_t workers = snapshot.num_workers();
  const int32_t experts = snapshot.num_experts();
  if (workers < 1 || experts < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: ", workers, " workers and ", experts,
                     " experts; at least one of each"));
  }
  const LoadMatrix& tokens = snapshot.tokens;
  const bool ahead = tokens.num_workers() == 0 && tokens.num_experts() == 0 &&
                     !snapshot.history.empty();
  if (!ahead &&
      (tokens.num_workers() != workers || tokens.num_experts() != experts)) {
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot: loads of ", tokens.num_workers(),
                     " workers and ", tokens.num_experts(),
                     " experts; the layer has ", workers, " and ", experts));
  }
  for (const auto& [name, size] :
       {std::pair("nodes", snapshot.node_of_worker.size()),
        std::pair("byte counts", snapshot.spare_bytes.size())}) {
    if (size == 0 || size == static_cast<size_t>(workers)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "snapshot: ", size, " ", name, " for ", workers, " workers"));
  }
  return absl::OkStatus();
}

absl::Status ValidateReplicas(const LayerSnapshot& snapshot) {
  const Replica* last = nullptr;
  for (const Replica& replica : snapshot.replicas) {
    const bool exists = replica.expert.value() >= 0 &&
                        replica.expert.value() < snapshot.num_experts() &&
                        replica.worker.value() >= 0 &&
                        replica.worker.value() < snapshot.num_workers();
    const bool at_home =
        exists &&
        snapshot.home_of_expert[replica.expert.index()] == replica.worker;
    if (!exists || at_home || (last != nullptr && !(*last < replica))) {
      return absl::InvalidArgumentError(
          absl::StrCat("snapshot: replica of expert ", replica.expert.value(),
                       " on worker ", replica.worker.value(),
                       at_home  ? " is at home there"
                       : exists ? " is out of order or there twice"
                                : " is out of range"));
    }
    last = &replica;
  }
  return absl::OkStatus();
}

absl::Status ValidateHistory(const LayerSnapshot& snapshot) {
  for (const PastLoads& past : snapshot.history) {
    if (past.tokens_of_expert.size() !=
        static_cast<size_t>(snapshot.num_experts())) {
      return absl::InvalidArgumentError(
          absl::StrCat("snapshot: loads of ", past.tokens_of_expert.size(),
                       " experts in iteration ", past.iteration.value(),
                       "; the layer has ", snapshot.num_experts()));
    }
    for (const int64_t tokens : past.tokens_of_expert) {
      if (tokens >= 0 && tokens <= kMostTokens * snapshot.num_workers()) {
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat("snapshot: a load of ", tokens, " in iteration ",
                       past.iteration.value(), "; loads are 0 to ", kMostTokens,
                       " per worker"));
    }
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

std::vector<int32_t> UsableSlots(const LayerSnapshot& snapshot) {
  std::vector<int32_t> slots = snapshot.spare_slots;
  // Parameters and a gradient buffer.
  const int64_t bytes = 2 * snapshot.cost.expert_bytes;
  if (bytes == 0) return slots;
  for (size_t i = 0; i < snapshot.spare_bytes.size(); ++i) {
    slots[i] = static_cast<int32_t>(
        std::min<int64_t>(slots[i], snapshot.spare_bytes[i] / bytes));
  }
  return slots;
}

absl::Status ValidateSnapshot(const LayerSnapshot& snapshot) {
  BMOE_RETURN_IF_ERROR(ValidateSizes(snapshot));
  const int32_t workers = snapshot.num_workers();
  for (int32_t expert = 0; expert < snapshot.num_experts(); ++expert) {
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
  BMOE_RETURN_IF_ERROR(ValidateReplicas(snapshot));
  BMOE_RETURN_IF_ERROR(ValidateHistory(snapshot));
  return ValidateCostModel(snapshot.cost);
}

}  // namespace balancemoe
