#ifndef BALANCEMOE_COMMON_PLANNING_PAIR_SEARCH_H_
#define BALANCEMOE_COMMON_PLANNING_PAIR_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/ids.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Pairs with at most this many experts that have tokens are searched
// completely.
inline constexpr size_t kExactPairExperts = 16;

// What becomes of an expert that goes to the other side.
enum class PairTransfer {
  // Its gradient comes home.
  kLend,
  // Its home changes: optimizer state follows, and no gradient returns.
  kMove,
};

// The best lends between two workers.
struct PairLends {
  // In the order in which they travel: most tokens first, so that the borrower
  // has most to do while the next one is on its way.
  std::vector<Lend> lends;
  // Whether no other set of whole experts is faster; false when the search ran
  // out of budget.
  bool exact = true;
};

// Finds the set of whole experts to lend between `first` and `second`, in
// either direction, that ends the layer soonest for the two of them, under the
// timing rule: their last forward plus their last backward. Of sets that take
// equal time, the one with the fewest lends. Never slower than no lends;
// respects spare slots; deterministic. Times are equal when they differ by less
// than some picoseconds, so that a rounding error in the last bit never buys a
// transfer.
//
// With PairTransfer::kMove the lends stand for moves and are timed as such.
//
// Pairs over kExactPairExperts stop after `budget` steps: one for each set that
// is looked at, and one for each lend of a set that is timed. `snapshot` and
// `loads` belong together.
PairLends FindPairLends(const LayerSnapshot& snapshot, const LayerLoads& loads,
                        WorkerRank first, WorkerRank second, int64_t budget,
                        PairTransfer kind = PairTransfer::kLend);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_PAIR_SEARCH_H_
