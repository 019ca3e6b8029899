#ifndef BALANCEMOE_COMMON_PLANNING_TESTING_MAX_FLOW_H_
#define BALANCEMOE_COMMON_PLANNING_TESTING_MAX_FLOW_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace balancemoe {

// Dinic's algorithm: what a fast split is held against.
class MaxFlow {
 public:
  explicit MaxFlow(size_t nodes) : edges_of_(nodes) {}

  void AddEdge(size_t from, size_t to, int64_t capacity) {
    edges_of_[from].push_back(edges_.size());
    edges_.push_back({to, capacity});
    edges_of_[to].push_back(edges_.size());
    edges_.push_back({from, 0});
  }

  // Uses the capacities up: once per graph.
  int64_t Run(size_t source, size_t sink) {
    int64_t flow = 0;
    while (FindLevels(source, sink)) {
      next_edge_.assign(edges_of_.size(), 0);
      while (const int64_t more =
                 Push(source, sink, std::numeric_limits<int64_t>::max())) {
        flow += more;
      }
    }
    return flow;
  }

 private:
  // Edge i ^ 1 is edge i backwards.
  struct Edge {
    size_t to = 0;
    int64_t capacity = 0;
  };

  // Distances from `source`; whether `sink` can be reached.
  bool FindLevels(size_t source, size_t sink) {
    level_.assign(edges_of_.size(), -1);
    level_[source] = 0;
    std::vector<size_t> queue = {source};
    for (size_t i = 0; i < queue.size(); ++i) {
      for (const size_t index : edges_of_[queue[i]]) {
        const Edge& edge = edges_[index];
        if (edge.capacity == 0 || level_[edge.to] >= 0) continue;
        level_[edge.to] = level_[queue[i]] + 1;
        queue.push_back(edge.to);
      }
    }
    return level_[sink] >= 0;
  }

  int64_t Push(size_t node, size_t sink, int64_t most) {
    if (node == sink) return most;
    for (size_t& i = next_edge_[node]; i < edges_of_[node].size(); ++i) {
      const size_t index = edges_of_[node][i];
      const Edge edge = edges_[index];
      if (edge.capacity == 0 || level_[edge.to] != level_[node] + 1) continue;
      const int64_t flow = Push(edge.to, sink, std::min(most, edge.capacity));
      if (flow == 0) continue;
      edges_[index].capacity -= flow;
      edges_[index ^ 1].capacity += flow;
      return flow;
    }
    return 0;
  }

  std::vector<Edge> edges_;
  std::vector<std::vector<size_t>> edges_of_;
  std::vector<int32_t> level_;
  std::vector<size_t> next_edge_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_TESTING_MAX_FLOW_H_
