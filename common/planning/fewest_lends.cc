#include "common/planning/fewest_lends.h"

#include <algorithm>
#include <cstddef>

#include "common/planning/load_export.h"
#include "common/planning/quota_split.h"

namespace balancemoe {

std::vector<Lend> FewestLends(const LayerLoads& loads,
                              absl::Span<const int32_t> slots,
                              double target_imbalance) {
  const double mean = static_cast<double>(loads.total_tokens()) /
                      static_cast<double>(loads.num_workers());
  const auto limit = static_cast<int64_t>(target_imbalance * mean);
  LoadExporter exporter(loads);
  std::vector<Replica> replicas;
  exporter.Export({{}, {}, slots}, limit, false, replicas);
  QuotaSplitter splitter;
  std::vector<int64_t> tokens;
  splitter.Split(loads, replicas, tokens);
  const int64_t reached = std::max(splitter.peak(), limit);
  // The lightest first: what the exact split can do without.
  for (bool dropped = true; dropped;) {
    dropped = false;
    std::vector<size_t> order(replicas.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return tokens[a] < tokens[b]; });
    for (const size_t i : order) {
      std::vector<Replica> fewer = replicas;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      std::vector<int64_t> fewer_tokens;
      splitter.Split(loads, fewer, fewer_tokens);
      if (splitter.peak() > reached) continue;
      replicas = fewer;
      tokens = fewer_tokens;
      dropped = true;
      break;
    }
  }
  std::vector<Lend> lends;
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (tokens[i] == 0) continue;
    lends.push_back({replicas[i].expert, loads.home(replicas[i].expert),
                     replicas[i].worker, tokens[i]});
  }
  return lends;
}

}  // namespace balancemoe
