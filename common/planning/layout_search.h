#ifndef BALANCEMOE_COMMON_PLANNING_LAYOUT_SEARCH_H_
#define BALANCEMOE_COMMON_PLANNING_LAYOUT_SEARCH_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Homes, and the replicas that go with them.
struct Layout {
  // From the homes of the snapshot.
  std::vector<Move> moves = {};
  // Rising.
  std::vector<Replica> replicas = {};
  // The same with tokens, in the order of travel.
  std::vector<Lend> lends = {};
  double time_us = 0;
};

// Looks for better homes than those of a snapshot. A swap is accepted when the
// layer is faster after it by more, over ten iterations, than moving parameters
// and optimizer state costs once.
class LayoutSearch {
 public:
  // Both must outlive this. `forecast` [E].
  LayoutSearch(const LayerSnapshot& snapshot,
               absl::Span<const int64_t> forecast)
      : snapshot_(snapshot), forecast_(forecast) {}

  // Takes experts to other nodes, and looks for replicas anew. `loads` are
  // those of the snapshot's homes.
  void SwapBetweenNodes(const LayerLoads& loads, Layout& layout) const;

  // Swaps experts that have no replicas, which leaves replicas as they are.
  void SwapBetweenWorkers(Layout& layout) const;

 private:
  LayerLoads LoadsAfter(absl::Span<const Move> moves) const;
  void Accept(const LayerLoads& moved, Layout candidate, Layout& layout) const;

  const LayerSnapshot& snapshot_;
  const absl::Span<const int64_t> forecast_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LAYOUT_SEARCH_H_
