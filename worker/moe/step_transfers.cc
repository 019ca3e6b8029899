#include "worker/moe/step_transfers.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::worker {

absl::StatusOr<MoveReport> StepTransfers::EndStep() {
  BMOE_ASSIGN_OR_RETURN(std::vector<LayerMoves> moves, agent_.EndStep());
  for (MoeLayer& layer : layers_) {
    moves.push_back({layer->experts().layer(), layer->TakePlannedMoves()});
  }
  BMOE_ASSIGN_OR_RETURN(MoveReport report, Move(moves));
  BMOE_RETURN_IF_ERROR(SendAhead());
  return report;
}

absl::Status StepTransfers::SendAhead() {
  for (MoeLayer& layer : layers_) {
    BMOE_RETURN_IF_ERROR(
        layer->SendAhead(agent_.PlannedLends(layer->experts().layer())));
  }
  return absl::OkStatus();
}

absl::StatusOr<MoveReport> StepTransfers::RestorePlacement(
    const JobPlacement& placement) {
  std::vector<LayerMoves> moves;
  for (MoeLayer& layer : layers_) {
    // What was planned for other homes is void.
    layer->TakePlannedMoves();
    const ExpertStore& store = layer->experts();
    const auto& now = store.home_of_expert();
    const auto& then = placement.home_of_expert[store.layer().index()];
    moves.push_back({store.layer(), {}});
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i] == then[i]) continue;
      moves.back().moves.push_back(
          {ExpertId(static_cast<int32_t>(i)), now[i], then[i]});
    }
  }
  return Move(moves);
}

JobPlacement StepTransfers::CurrentPlacement() const {
  JobPlacement placement;
  placement.home_of_expert.resize(layers_.size());
  for (const MoeLayer& layer : layers_) {
    const ExpertStore& store = layer->experts();
    placement.home_of_expert[store.layer().index()] = store.home_of_expert();
  }
  return placement;
}

absl::StatusOr<MoveReport> StepTransfers::Move(
    const std::vector<LayerMoves>& moves) {
  MoveReport report;
  std::vector<StoreMoves> of_stores;
  std::vector<LayerMoves> made;
  for (const LayerMoves& of_layer : moves) {
    if (of_layer.moves.empty()) continue;
    const auto layer = std::find_if(
        layers_.begin(), layers_.end(), [&](const MoeLayer& candidate) {
          return candidate->experts().layer() == of_layer.layer;
        });
    if (!(*layer)->idle()) {
      return absl::FailedPreconditionError(
          absl::StrCat("MoE layer ", of_layer.layer.value(),
                       ": experts move between steps, and a forward waits for "
                       "its backward"));
    }
    of_stores.push_back({&(*layer)->experts(), of_layer.moves});
    made.push_back(of_layer);
    report.moves += static_cast<int64_t>(of_layer.moves.size());
  }
  // Moves must not overtake what is on its way and was never used, and it must
  // have left before anybody changes it.
  for (MoeLayer& layer : layers_) BMOE_RETURN_IF_ERROR(layer->SendAhead({}));
  if (made.empty()) return report;
  const absl::Time start = clock_.Now();
  BMOE_ASSIGN_OR_RETURN(MoveOutcome outcome,
                        MoveExperts(of_stores, agent_.transport(), observer_));
  report.bytes_sent = outcome.bytes_sent;
  report.elapsed = clock_.Now() - start;
  if (outcome.committed) {
    agent_.CommitMoves(made);
  } else {
    report.refused = std::exchange(report.moves, 0);
    report.reason = std::move(outcome.reason);
  }
  return report;
}

}  // namespace balancemoe::worker
