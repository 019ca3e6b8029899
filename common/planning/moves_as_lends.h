#ifndef BALANCEMOE_COMMON_PLANNING_MOVES_AS_LENDS_H_
#define BALANCEMOE_COMMON_PLANNING_MOVES_AS_LENDS_H_

#include <vector>

#include "absl/types/span.h"
#include "common/planning/load_matrix.h"
#include "common/planning/plan.h"

namespace balancemoe {

// What is lent in the iteration of a plan that also moves experts. Until its
// step has ended, the old homes hold the parameters, so a moved expert is lent
// to its new home, and what that would have lent on comes from the old one.
// Every worker computes the same tokens as if the moves had been made before.
//
// `lends` have exact tokens and come from the homes after `moves`, as
// ResolveQuotas gives them; the result comes from the homes before. Moved
// experts come first, in the order of the moves; lends without tokens are left
// out.
std::vector<Lend> MovesAsLends(absl::Span<const Move> moves,
                               absl::Span<const Lend> lends,
                               const LoadMatrix& tokens);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_MOVES_AS_LENDS_H_
