#ifndef BALANCEMOE_COMMON_PLANNING_TESTING_RANDOM_SNAPSHOT_H_
#define BALANCEMOE_COMMON_PLANNING_TESTING_RANDOM_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "common/ids.h"
#include "common/planning/layer_snapshot.h"

namespace balancemoe {

// Draws valid snapshots of every kind: empty and hot experts, homes anywhere,
// no slots, one node or several, free and dear links. The same seed gives the
// same snapshots on every machine, which the distributions of <random> do not
// promise.
class SnapshotGenerator {
 public:
  explicit SnapshotGenerator(uint64_t seed) : random_(seed) {}

  // From `low` to `high`, both included.
  int64_t Draw(int64_t low, int64_t high) {
    const auto values = static_cast<uint64_t>(high - low + 1);
    return low + static_cast<int64_t>(random_() % values);
  }

  LayerSnapshot Next(int32_t workers, int32_t experts) {
    LayerSnapshot snapshot;
    snapshot.tokens = LoadMatrix(workers, experts);
    for (int32_t expert = 0; expert < experts; ++expert) {
      const int64_t most = Draw(0, 3) == 0 ? 2 : Draw(0, 200);
      for (int32_t source = 0; source < workers; ++source) {
        snapshot.tokens.MutableRow(
            WorkerRank(source))[static_cast<size_t>(expert)] = Draw(0, most);
      }
      snapshot.home_of_expert.emplace_back(
          static_cast<int32_t>(Draw(0, workers - 1)));
    }
    for (int32_t worker = 0; worker < workers; ++worker) {
      snapshot.spare_slots.push_back(static_cast<int32_t>(Draw(0, 4)));
    }
    if (Draw(0, 1) == 0) {
      const int64_t nodes = Draw(1, workers);
      for (int32_t worker = 0; worker < workers; ++worker) {
        snapshot.node_of_worker.push_back(
            static_cast<int32_t>(Draw(0, nodes - 1)));
      }
    }
    snapshot.cost = NextCost();
    return snapshot;
  }

  CostModel NextCost() {
    return {.expert_launch_us = OneOf({0, 5, 20}),
            .us_per_token = OneOf({0.5, 1, 3}),
            .backward_factor = OneOf({0, 1, 2, 2.5}),
            .intra_node = NextLink(),
            .inter_node = NextLink(),
            .overlap_slowdown = OneOf({1, 1.05, 1.5}),
            .host_cpu_us_per_byte = OneOf({0, 0, 0.01, 0.1}),
            .expert_bytes = Draw(0, 2000),
            .token_bytes = Draw(0, 20),
            .optimizer_bytes = Draw(0, 6000)};
  }

 private:
  Link NextLink() {
    return {.latency_us = OneOf({0, 3, 30}),
            .us_per_byte = OneOf({0, 0.01, 0.05})};
  }

  double OneOf(const std::vector<double>& values) {
    return values[static_cast<size_t>(
        Draw(0, static_cast<int64_t>(values.size()) - 1))];
  }

  std::mt19937_64 random_;
};

// A snapshot of a running job: with byte budgets, loads of past iterations, and
// replicas as far as there is room for them.
inline LayerSnapshot NextWithPast(SnapshotGenerator& generator, int32_t workers,
                                  int32_t experts) {
  LayerSnapshot snapshot = generator.Next(workers, experts);
  snapshot.iteration = Iteration(generator.Draw(3, 100));
  for (int64_t row = generator.Draw(1, 2); row > 0; --row) {
    PastLoads past = {.iteration = Iteration(snapshot.iteration.value() - row),
                      .tokens_of_expert = {}};
    for (int32_t e = 0; e < experts; ++e) {
      const int64_t tokens = snapshot.tokens.TokensOfExpert(ExpertId(e));
      past.tokens_of_expert.push_back(generator.Draw(0, 2 * tokens));
    }
    snapshot.history.push_back(past);
  }
  if (generator.Draw(0, 1) == 0) {
    for (int32_t worker = 0; worker < workers; ++worker) {
      snapshot.spare_bytes.push_back(generator.Draw(0, 10'000));
    }
  }
  std::vector<int32_t> room = UsableSlots(snapshot);
  for (int32_t e = 0; e < experts; ++e) {
    for (int32_t worker = 0; worker < workers; ++worker) {
      const Replica replica = {ExpertId(e), WorkerRank(worker)};
      if (snapshot.home_of_expert[replica.expert.index()] == replica.worker ||
          room[replica.worker.index()] == 0 || generator.Draw(0, 9) > 0) {
        continue;
      }
      --room[replica.worker.index()];
      snapshot.replicas.push_back(replica);
    }
  }
  return snapshot;
}

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_TESTING_RANDOM_SNAPSHOT_H_
