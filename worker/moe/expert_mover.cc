#include "worker/moe/expert_mover.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::worker {

absl::StatusOr<MoveReport> ExpertMover::MoveExperts() {
  std::vector<LayerMoves> moves;
  for (MoeLayer& layer : layers_) {
    moves.push_back({layer->experts().layer(), layer->TakePlannedMoves()});
  }
  return Move(moves);
}

absl::StatusOr<MoveReport> ExpertMover::RestorePlacement(
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

JobPlacement ExpertMover::CurrentPlacement() const {
  JobPlacement placement;
  placement.home_of_expert.resize(layers_.size());
  for (const MoeLayer& layer : layers_) {
    const ExpertStore& store = layer->experts();
    placement.home_of_expert[store.layer().index()] = store.home_of_expert();
  }
  return placement;
}

absl::StatusOr<MoveReport> ExpertMover::Move(
    const std::vector<LayerMoves>& moves) {
  MoveReport report;
  std::vector<StoreMoves> of_stores;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (moves[i].moves.empty()) continue;
    if (!layers_[i]->idle()) {
      return absl::FailedPreconditionError(
          absl::StrCat("MoE layer ", moves[i].layer.value(),
                       ": experts move between steps, and a forward waits for "
                       "its backward"));
    }
    of_stores.push_back({&layers_[i]->experts(), moves[i].moves});
    report.moves += static_cast<int64_t>(moves[i].moves.size());
  }
  if (of_stores.empty()) return report;
  const absl::Time start = clock_.Now();
  BMOE_ASSIGN_OR_RETURN(
      MoveOutcome outcome,
      worker::MoveExperts(of_stores, agent_.transport(), observer_));
  report.bytes_sent = outcome.bytes_sent;
  report.elapsed = clock_.Now() - start;
  if (outcome.committed) {
    agent_.CommitMoves(moves);
  } else {
    report.refused = std::exchange(report.moves, 0);
    report.reason = std::move(outcome.reason);
  }
  return report;
}

}  // namespace balancemoe::worker
