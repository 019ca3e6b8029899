#ifndef BALANCEMOE_COMMON_PLANNING_TESTING_SMALL_SNAPSHOT_H_
#define BALANCEMOE_COMMON_PLANNING_TESTING_SMALL_SNAPSHOT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/ids.h"
#include "common/planning/layer_snapshot.h"

namespace balancemoe {

// A snapshot whose plan can be worked out by hand: tokens[source][expert],
// expert e at home on homes[e], slots for every expert, one microsecond per
// token, and links that are free.
inline LayerSnapshot SmallSnapshot(
    const std::vector<std::vector<int64_t>>& tokens,
    const std::vector<int32_t>& homes) {
  LayerSnapshot snapshot;
  snapshot.tokens = LoadMatrix(static_cast<int32_t>(tokens.size()),
                               static_cast<int32_t>(homes.size()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::copy(tokens[i].begin(), tokens[i].end(),
              snapshot.tokens.MutableRow(WorkerRank(static_cast<int32_t>(i)))
                  .begin());
  }
  for (const int32_t home : homes) snapshot.home_of_expert.emplace_back(home);
  snapshot.spare_slots.assign(tokens.size(),
                              static_cast<int32_t>(homes.size()));
  snapshot.cost.us_per_token = 1;
  snapshot.cost.backward_factor = 2;
  return snapshot;
}

// All tokens come from worker 0.
inline LayerSnapshot SmallSnapshot(int32_t workers,
                                   const std::vector<int64_t>& tokens,
                                   const std::vector<int32_t>& homes) {
  std::vector<std::vector<int64_t>> by_source(
      static_cast<size_t>(workers), std::vector<int64_t>(tokens.size()));
  by_source.front() = tokens;
  return SmallSnapshot(by_source, homes);
}

inline Lend LendOf(int32_t expert, int32_t from, int32_t to, int64_t tokens) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to), tokens};
}

inline Move MoveOf(int32_t expert, int32_t from, int32_t to) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to)};
}

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_TESTING_SMALL_SNAPSHOT_H_
