#include "common/planning/job_placement.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/planning/layer_snapshot.h"

namespace balancemoe {

JobPlacement FirstPlacement(int32_t layers, int32_t num_workers,
                            int32_t num_experts) {
  return {.version = 0,
          .home_of_expert = {static_cast<size_t>(layers),
                             ContiguousPlacement(num_workers, num_experts)}};
}

absl::Status ValidatePlacement(const JobPlacement& placement, int32_t layers,
                               int32_t num_workers, int32_t num_experts) {
  if (placement.home_of_expert.size() != static_cast<size_t>(layers)) {
    return absl::InvalidArgumentError(
        absl::StrCat("placement of ", placement.home_of_expert.size(),
                     " layers; the job has ", layers));
  }
  for (size_t layer = 0; layer < placement.home_of_expert.size(); ++layer) {
    const std::vector<WorkerRank>& homes = placement.home_of_expert[layer];
    if (homes.size() != static_cast<size_t>(num_experts)) {
      return absl::InvalidArgumentError(
          absl::StrCat("placement of layer ", layer, ": ", homes.size(),
                       " experts; the layer has ", num_experts));
    }
    for (size_t expert = 0; expert < homes.size(); ++expert) {
      const int32_t home = homes[expert].value();
      if (home >= 0 && home < num_workers) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "placement of layer ", layer, ": expert ", expert, " at worker ",
          home, "; the job has workers 0 to ", num_workers - 1));
    }
  }
  return absl::OkStatus();
}

void ApplyMoves(absl::Span<const LayerMoves> moves, JobPlacement& placement) {
  ++placement.version;
  for (const LayerMoves& of_layer : moves) {
    std::vector<WorkerRank>& homes =
        placement.home_of_expert[of_layer.layer.index()];
    homes = HomesAfter(homes, of_layer.moves);
  }
}

}  // namespace balancemoe
