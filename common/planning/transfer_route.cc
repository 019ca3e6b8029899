#include "common/planning/transfer_route.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace balancemoe {
namespace {

double ChainUs(const CostModel& cost, const Link& slowest, double bytes,
               const RouteShape& shape) {
  const double hops = shape.receivers();
  const double far_hops = shape.far_nodes;
  const double latencies_us = (hops - far_hops) * cost.intra_node.latency_us +
                              far_hops * cost.inter_node.latency_us;
  const double whole_us = bytes * slowest.us_per_byte;
  return latencies_us + whole_us +
         2 * std::sqrt((hops - 1) * whole_us * slowest.latency_us);
}

}  // namespace

Route ChooseRoute(const CostModel& cost, double bytes,
                  const RouteShape& shape) {
  Route best = {RouteKind::kApart,
                std::max(shape.near * cost.intra_node.TransferUs(bytes),
                         shape.far * cost.inter_node.TransferUs(bytes))};
  if (shape.receivers() == 1) return best;
  const Link& slowest = shape.far > 0 ? cost.inter_node : cost.intra_node;
  const double chain_us = ChainUs(cost, slowest, bytes, shape);
  if (chain_us < best.duration_us) best = {RouteKind::kRelay, chain_us};
  // Each round doubles how many have it: ceil(log2(receivers + 1)).
  const int rounds = std::bit_width(static_cast<uint32_t>(shape.receivers()));
  const double tree_us = rounds * slowest.TransferUs(bytes);
  if (tree_us < best.duration_us) best = {RouteKind::kTree, tree_us};
  return best;
}

}  // namespace balancemoe
