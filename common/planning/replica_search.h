#ifndef BALANCEMOE_COMMON_PLANNING_REPLICA_SEARCH_H_
#define BALANCEMOE_COMMON_PLANNING_REPLICA_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/cost_model.h"
#include "common/planning/layer_loads.h"
#include "common/planning/load_export.h"
#include "common/planning/plan.h"
#include "common/planning/replica_timer.h"

namespace balancemoe {

// Looks for the set of replicas under which a layer is fastest, by the timing
// rule itself: copies of hot experts on all workers, on their node, or one per
// node; exports of what is over a threshold; and taking copies away again. The
// first improvement is taken; the best so far counts when the budget ends.
// Deterministic.
class ReplicaSearch {
 public:
  struct Options {
    // Workers, experts and replicas to look at, over all sets that are timed:
    // some milliseconds of one core. Counted, not timed, so that equal
    // snapshots give equal plans.
    int64_t budget = 60'000;
    // A set counts as slower by this share for each replica that is not in
    // place, so that none comes for a gain that may be gone tomorrow.
    double price_per_copy = 0.0001;
    // Transfers start when dispatch has ended, instead of one forward time
    // earlier.
    bool late = false;
  };

  // `loads` must outlive this. `slots` [W]; `in_place` rising.
  ReplicaSearch(const LayerLoads& loads, const CostModel& cost,
                absl::Span<const int32_t> slots,
                absl::Span<const Replica> in_place, const Options& options);

  // Times what is in place, and nothing at all.
  void Look();
  // Goes on from the better of these with a few exports more.
  void Repair();
  // The whole search.
  void Run();

  // The best set, rising.
  const std::vector<Replica>& replicas() const { return best_; }
  // The same with exact tokens, in the order of travel.
  const std::vector<Lend>& lends() const { return best_lends_; }
  // Its predicted time, without the price of copies.
  double time_us() const { return best_us_; }
  double time_in_place_us() const { return in_place_us_; }
  double time_without_us() const { return without_us_; }

 private:
  enum class Scope { kEverywhere, kOwnNode, kOnePerNode };

  double Time(absl::Span<const Replica> set, double give_up_us);
  bool Consider(absl::Span<const Replica> set);
  bool Keep(absl::Span<const Replica> set, double time_us, double price);
  double Price(absl::Span<const Replica> set) const;
  std::vector<int32_t> FreeSlots(absl::Span<const Replica> set) const;
  std::vector<Replica> SpreadOver(absl::Span<const Replica> base,
                                  ExpertId expert, Scope scope) const;
  void SpreadHottest(Scope scope);
  void Spread(ExpertId expert, Scope scope);
  void Withdraw(ExpertId expert);
  bool ExportFrom(absl::Span<const Replica> base,
                  absl::Span<const int64_t> tokens, double times_mean,
                  bool near_first);
  void ExportRest(absl::Span<const double> thresholds);
  void DropLight();

  const LayerLoads& loads_;
  const std::vector<int32_t> slots_;
  const std::vector<Replica> in_place_;
  const Options options_;
  const double mean_tokens_;
  ReplicaTimer timer_;
  LoadExporter exporter_;
  int64_t left_ = 0;
  int32_t num_nodes_ = 1;
  // Most tokens first.
  std::vector<ExpertId> hottest_;
  std::vector<Replica> best_;
  // One per replica.
  std::vector<int64_t> best_tokens_;
  std::vector<Lend> best_lends_;
  double best_us_ = 0;
  double best_priced_us_ = 0;
  double in_place_us_ = 0;
  double without_us_ = 0;
  std::vector<Replica> set_;
  std::vector<Replica> added_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_REPLICA_SEARCH_H_
