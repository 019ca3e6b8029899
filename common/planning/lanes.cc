#include "common/planning/lanes.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace balancemoe {

void Lanes::Begin(const CostModel& cost,
                  absl::Span<const int32_t> node_of_worker, double free_us) {
  cost_ = cost;
  nodes_ = node_of_worker;
  workers_.resize(nodes_.size());
  for (Worker& worker : workers_) {
    worker.send_us.fill(free_us);
    worker.receive_us.fill(free_us);
    worker.busy.Clear();
    worker.host_us = 0;
  }
}

void Lanes::Reserve(size_t worker, double until_us) {
  for (auto* lanes :
       {&workers_[worker].send_us, &workers_[worker].receive_us}) {
    for (double& free_us : *lanes) free_us = std::max(free_us, until_us);
  }
}

RouteShape Lanes::ShapeOf(size_t home, absl::Span<const size_t> others) const {
  RouteShape shape;
  int32_t last_far_node = -1;
  for (size_t i = 0; i < others.size(); ++i) {
    const int32_t node = nodes_[others[i]];
    if (node == nodes_[home]) {
      ++shape.near;
      continue;
    }
    ++shape.far;
    const auto same_node = [&](size_t other) { return nodes_[other] == node; };
    // Mostly they stand in the order of their nodes.
    if (node > last_far_node) {
      last_far_node = node;
      ++shape.far_nodes;
      continue;
    }
    if (node == last_far_node) continue;
    if (std::none_of(others.begin(),
                     others.begin() + static_cast<std::ptrdiff_t>(i),
                     same_node)) {
      ++shape.far_nodes;
    }
  }
  return shape;
}

Route Lanes::RouteTo(size_t home, absl::Span<const size_t> others,
                     double bytes) const {
  if (others.size() == 1) return {};
  return ChooseRoute(cost_, bytes, ShapeOf(home, others));
}

absl::Span<const Lanes::Hop> Lanes::LayChain(size_t home,
                                             absl::Span<const size_t> others) {
  hops_.clear();
  for (const bool near : {true, false}) {
    for (const size_t other : others) {
      if ((nodes_[other] == nodes_[home]) == near) hops_.push_back({0, other});
    }
  }
  const auto after = [&](const Hop& a, const Hop& b) {
    const bool a_far = nodes_[a.to] != nodes_[home];
    const bool b_far = nodes_[b.to] != nodes_[home];
    return std::tuple(a_far, a_far ? nodes_[a.to] : 0, a.to) <
           std::tuple(b_far, b_far ? nodes_[b.to] : 0, b.to);
  };
  if (!std::is_sorted(hops_.begin(), hops_.end(), after)) {
    std::sort(hops_.begin(), hops_.end(), after);
  }
  size_t last = home;
  for (Hop& hop : hops_) {
    hop.from = last;
    last = hop.to;
  }
  return hops_;
}

// The lanes that a tree surely holds: home sends in every round.
void Lanes::LayStar(size_t home, absl::Span<const size_t> others) {
  hops_.clear();
  for (const size_t other : others) hops_.push_back({home, other});
}

void Lanes::Send(Direction direction, const Route& route, size_t home,
                 absl::Span<const size_t> others, double bytes,
                 double earliest_us, absl::Span<double> arrivals_us) {
  if (route.kind == RouteKind::kApart) {
    for (size_t i = 0; i < others.size(); ++i) {
      hops_.assign(1, {home, others[i]});
      arrivals_us[i] = Occupy(
          direction, earliest_us,
          cost_.link(ClassBetween(home, others[i])).TransferUs(bytes), bytes);
    }
    return;
  }
  if (route.kind == RouteKind::kRelay) {
    LayChain(home, others);
  } else {
    LayStar(home, others);
  }
  std::fill(arrivals_us.begin(), arrivals_us.end(),
            Occupy(direction, earliest_us, route.duration_us, bytes));
}

// Takes the lanes of `hops_` as soon as all are free; returns the end.
double Lanes::Occupy(Direction direction, double earliest_us,
                     double duration_us, double bytes) {
  double begin_us = earliest_us;
  const auto lanes_of = [&](const Hop& hop) {
    const auto link = static_cast<size_t>(ClassBetween(hop.from, hop.to));
    const bool out = direction == Direction::kFromHome;
    return std::pair<double*, double*>(
        &workers_[out ? hop.from : hop.to].send_us[link],
        &workers_[out ? hop.to : hop.from].receive_us[link]);
  };
  for (const Hop& hop : hops_) {
    const auto [send_us, receive_us] = lanes_of(hop);
    begin_us = std::max({begin_us, *send_us, *receive_us});
  }
  const double end_us = begin_us + duration_us;
  for (const Hop& hop : hops_) {
    const auto [send_us, receive_us] = lanes_of(hop);
    *send_us = end_us;
    *receive_us = end_us;
    for (const size_t end : {hop.from, hop.to}) {
      workers_[end].busy.Add(begin_us, end_us);
      workers_[end].host_us += bytes * cost_.host_cpu_us_per_byte;
    }
  }
  return end_us;
}

void Lanes::Continue(size_t from, size_t to, double begin_us, double end_us) {
  const auto link = static_cast<size_t>(ClassBetween(from, to));
  double& send_us = workers_[from].send_us[link];
  double& receive_us = workers_[to].receive_us[link];
  send_us = std::max(send_us, end_us);
  receive_us = std::max(receive_us, end_us);
  for (const size_t end : {from, to}) {
    workers_[end].busy.Add(std::max(begin_us, 0.0), end_us);
  }
}

}  // namespace balancemoe
