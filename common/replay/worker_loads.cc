#include "common/replay/worker_loads.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace balancemoe {

absl::Status CheckSources(const Trace& trace, int32_t workers) {
  const int32_t ranks = std::max(trace.num_ranks, 1);
  if (ranks % workers == 0 || workers % ranks == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("workers: ", workers, " and the ", ranks, " ranks of ",
                   trace.name, "; one must be a multiple of the other"));
}

LoadMatrix WorkerLoads(const TraceRecord& record, int32_t ranks,
                       int32_t workers) {
  const int32_t sources = std::max(ranks, 1);
  const int32_t experts = record.tokens.num_experts();
  LoadMatrix loads(workers, experts);
  for (int32_t rank = 0; rank < sources; ++rank) {
    const auto row = record.tokens.Row(WorkerRank(rank));
    const int32_t sharing = std::max(workers / sources, 1);
    const int32_t first =
        sources >= workers ? rank / (sources / workers) : rank * sharing;
    for (int32_t i = 0; i < sharing; ++i) {
      const auto out = loads.MutableRow(WorkerRank(first + i));
      for (size_t e = 0; e < row.size(); ++e) {
        out[e] += row[e] / sharing + (i < row[e] % sharing ? 1 : 0);
      }
    }
  }
  return loads;
}

int64_t CountIterations(const std::vector<const TraceRecord*>& records) {
  std::set<Iteration> iterations;
  for (const TraceRecord* record : records) {
    iterations.insert(record->iteration);
  }
  return static_cast<int64_t>(iterations.size());
}

int64_t CountLayers(const std::vector<const TraceRecord*>& records) {
  std::set<LayerId> layers;
  for (const TraceRecord* record : records) layers.insert(record->layer);
  return static_cast<int64_t>(layers.size());
}

}  // namespace balancemoe
