#include "common/planning/moves_as_lends.h"

#include <algorithm>
#include <cstdint>

namespace balancemoe {
namespace {

bool Moves(absl::Span<const Move> moves, ExpertId expert) {
  return std::any_of(moves.begin(), moves.end(), [expert](const Move& move) {
    return move.expert == expert;
  });
}

}  // namespace

std::vector<Lend> MovesAsLends(absl::Span<const Move> moves,
                               absl::Span<const Lend> lends,
                               const LoadMatrix& tokens) {
  std::vector<Lend> result;
  for (const Move& move : moves) {
    const size_t own = result.size();
    result.push_back(
        {move.expert, move.from, move.to, tokens.TokensOfExpert(move.expert)});
    for (const Lend& lend : lends) {
      if (lend.expert != move.expert) continue;
      result[own].tokens -= lend.tokens;
      // What is lent back to the old home is what it keeps.
      if (lend.to != move.from) {
        result.push_back({lend.expert, move.from, lend.to, lend.tokens});
      }
    }
  }
  for (const Lend& lend : lends) {
    if (!Moves(moves, lend.expert)) result.push_back(lend);
  }
  std::erase_if(result, [](const Lend& lend) { return lend.tokens == 0; });
  return result;
}

}  // namespace balancemoe
