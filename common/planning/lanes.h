#ifndef BALANCEMOE_COMMON_PLANNING_LANES_H_
#define BALANCEMOE_COMMON_PLANNING_LANES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/busy_spans.h"
#include "common/planning/cost_model.h"
#include "common/planning/transfer_route.h"

namespace balancemoe {

// The links of a group of workers during one pass of a layer. Every worker has
// one lane for sending and one for receiving per link class; a transfer holds
// the lanes of its ends, and transfers take turns in the order of the calls.
// Memory is kept between passes. Not thread-safe.
class Lanes {
 public:
  enum class Direction { kFromHome, kToHome };

  // Starts a pass: lanes are free from `free_us` on. `node_of_worker` must
  // outlive the pass.
  void Begin(const CostModel& cost, absl::Span<const int32_t> node_of_worker,
             double free_us);

  // A worker's lanes are free no earlier than this.
  void Reserve(size_t worker, double until_us);

  // How `bytes` get from `home` to all `others` or back.
  Route RouteTo(size_t home, absl::Span<const size_t> others,
                double bytes) const;

  // Sends `bytes` along a route that RouteTo found for the same ends, no
  // earlier than `earliest_us`. Fills `arrivals_us`, one per other: when it has
  // them, or on the way home when home has its.
  void Send(Direction direction, const Route& route, size_t home,
            absl::Span<const size_t> others, double bytes, double earliest_us,
            absl::Span<double> arrivals_us);

  // Marks transfers that began in the pass before and are still under way.
  void Continue(size_t from, size_t to, double begin_us, double end_us);

  struct Hop {
    size_t from = 0;
    size_t to = 0;
  };
  // The chain of a relay from `home`: home's node first, then one node after
  // the other, so that it crosses between nodes as seldom as can be. Valid
  // until the next call.
  absl::Span<const Hop> LayChain(size_t home, absl::Span<const size_t> others);

  const BusySpans& busy(size_t worker) const { return workers_[worker].busy; }
  // Processor time that the worker's transfers take from its compute.
  double host_us(size_t worker) const { return workers_[worker].host_us; }
  LinkClass ClassBetween(size_t a, size_t b) const {
    return nodes_[a] == nodes_[b] ? LinkClass::kIntraNode
                                  : LinkClass::kInterNode;
  }

 private:
  struct Worker {
    // When each lane is free.
    std::array<double, kLinkClasses> send_us = {};
    std::array<double, kLinkClasses> receive_us = {};
    BusySpans busy;
    double host_us = 0;
  };

  RouteShape ShapeOf(size_t home, absl::Span<const size_t> others) const;
  void LayStar(size_t home, absl::Span<const size_t> others);
  double Occupy(Direction direction, double earliest_us, double duration_us,
                double bytes);

  CostModel cost_;
  absl::Span<const int32_t> nodes_;
  std::vector<Worker> workers_;
  // From home outwards.
  std::vector<Hop> hops_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LANES_H_
