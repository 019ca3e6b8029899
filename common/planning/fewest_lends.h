#ifndef BALANCEMOE_COMMON_PLANNING_FEWEST_LENDS_H_
#define BALANCEMOE_COMMON_PLANNING_FEWEST_LENDS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Few lends that bring the busiest worker down to `target_imbalance` times the
// mean, or, where slots do not suffice, as far as exports bring it. With exact
// tokens.
std::vector<Lend> FewestLends(const LayerLoads& loads,
                              absl::Span<const int32_t> slots,
                              double target_imbalance);

// Two experts that change places, so that under each of these loads a lend
// fewer is needed than before; empty when there are none. As the loads of one
// iteration are much like those of the next, two moves save a lend many times.
std::vector<Move> SwapForFewerLends(absl::Span<const PastLoads> loads,
                                    absl::Span<const WorkerRank> home_of_expert,
                                    absl::Span<const int32_t> slots,
                                    double target_imbalance);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_FEWEST_LENDS_H_
