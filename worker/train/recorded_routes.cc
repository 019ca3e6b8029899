#include "worker/train/recorded_routes.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

constexpr char kTrace[] = "--route-from";
constexpr char kIterations[] = "--route-iterations";

absl::Status Wrong(absl::string_view flag, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", what));
}

// What experts get of tokens * top_k in whole numbers, and what is left over.
struct Rounded {
  std::vector<int64_t> counts;
  // Of a whole, over one denominator, so that equal ones are equal.
  std::vector<int64_t> remainders;
};

// `counts` are rounded down; none above `tokens`.
Rounded RoundDown(absl::Span<const int64_t> weights, int64_t tokens,
                  int32_t top_k) {
  Rounded rounded{std::vector<int64_t>(weights.size()),
                  std::vector<int64_t>(weights.size())};
  std::vector<bool> full(weights.size());
  int64_t left = tokens * top_k;
  // Each round fills an expert up at least, or is the last.
  for (bool again = true; again;) {
    again = false;
    int64_t sum = 0;
    int64_t open = 0;
    for (size_t e = 0; e < weights.size(); ++e) {
      if (full[e]) continue;
      sum += weights[e];
      ++open;
    }
    const int64_t whole = sum > 0 ? sum : open;
    const int64_t left_before = left;
    for (size_t e = 0; e < weights.size(); ++e) {
      if (full[e]) continue;
      const absl::int128 share =
          absl::int128(left_before) * (sum > 0 ? weights[e] : 1);
      rounded.counts[e] = static_cast<int64_t>(share / whole);
      rounded.remainders[e] = static_cast<int64_t>(share % whole);
      if (rounded.counts[e] < tokens) continue;
      rounded.counts[e] = tokens;
      rounded.remainders[e] = 0;
      full[e] = true;
      left -= tokens;
      again = true;
    }
  }
  return rounded;
}

absl::StatusOr<std::pair<int64_t, int64_t>> ParseRange(
    const std::string& iterations) {
  if (iterations.empty()) {
    return std::pair(std::numeric_limits<int64_t>::min(),
                     std::numeric_limits<int64_t>::max());
  }
  const std::vector<std::string> ends = absl::StrSplit(iterations, ':');
  std::pair<int64_t, int64_t> range;
  if (ends.size() != 2 || !absl::SimpleAtoi(ends[0], &range.first) ||
      !absl::SimpleAtoi(ends[1], &range.second) ||
      range.first >= range.second) {
    return Wrong(kIterations,
                 absl::StrCat("\"", iterations,
                              "\" is not A:B, two whole numbers of which A is "
                              "the smaller; A:B starts with A and ends before "
                              "B"));
  }
  return range;
}

absl::Status CheckShape(const Trace& trace,
                        const RecordedRoutes::Shape& shape) {
  if (trace.num_experts != shape.experts) {
    return Wrong(kTrace,
                 absl::StrCat(trace.name, " has ", trace.num_experts,
                              " experts, --experts is ", shape.experts));
  }
  if (static_cast<int32_t>(trace.layers.size()) < shape.layers) {
    return Wrong(kTrace, absl::StrCat(trace.name, " has ", trace.layers.size(),
                                      " layers, --layers is ", shape.layers));
  }
  const int32_t ranks = trace.num_ranks;
  if (ranks > 0 && ranks % shape.workers != 0 && shape.workers % ranks != 0) {
    return Wrong(
        kTrace,
        absl::StrCat(trace.name, " has ", ranks, " ranks for ", shape.workers,
                     " workers; one number must divide the other"));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int64_t> ScaleToTokens(absl::Span<const int64_t> weights,
                                   int64_t tokens, int32_t top_k) {
  auto [counts, remainders] = RoundDown(weights, tokens, top_k);
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&remainders = remainders](size_t a, size_t b) {
                     return remainders[a] > remainders[b];
                   });
  // Fewer are missing than there are remainders, and who has one is not full.
  const int64_t missing =
      tokens * top_k -
      std::accumulate(counts.begin(), counts.end(), int64_t{0});
  for (int64_t i = 0; i < missing; ++i) {
    ++counts[order[static_cast<size_t>(i)]];
  }
  return counts;
}

absl::StatusOr<RecordedRoutes> RecordedRoutes::Create(
    Trace trace, const std::string& iterations, const Shape& shape) {
  BMOE_RETURN_IF_ERROR(CheckShape(trace, shape));
  BMOE_ASSIGN_OR_RETURN(const auto range, ParseRange(iterations));
  const auto layers = static_cast<size_t>(shape.layers);
  std::map<Iteration, std::map<LayerId, LoadMatrix>> by_iteration;
  for (TraceRecord& record : trace.records) {
    if (record.iteration.value() < range.first ||
        record.iteration.value() >= range.second ||
        record.layer > trace.layers[layers - 1]) {
      continue;
    }
    by_iteration[record.iteration][record.layer] = std::move(record.tokens);
  }
  if (by_iteration.empty()) {
    return Wrong(kIterations, absl::StrCat("no iteration of ", trace.name,
                                           " is in ", iterations));
  }
  std::vector<std::vector<LoadMatrix>> rows;
  for (auto& [iteration, of_layers] : by_iteration) {
    if (of_layers.size() != layers) {
      return Wrong(
          kTrace, absl::StrCat(trace.name, ": iteration ", iteration.value(),
                               " has only ", of_layers.size(), " of the first ",
                               layers, " layers"));
    }
    rows.emplace_back();
    for (auto& [layer, tokens] : of_layers) {
      rows.back().push_back(std::move(tokens));
    }
  }
  return RecordedRoutes(shape, std::move(rows));
}

std::vector<int64_t> RecordedRoutes::Counts(int64_t row, LayerId layer,
                                            WorkerRank worker,
                                            int64_t tokens) const {
  const LoadMatrix& recorded =
      rows_[static_cast<size_t>(row % rows())][layer.index()];
  const int32_t ranks = recorded.num_workers();
  // The ranks that this worker stands for: several, or one that it shares.
  const int32_t first =
      static_cast<int32_t>(int64_t{worker.value()} * ranks / shape_.workers);
  const int32_t count = std::max(1, ranks / shape_.workers);
  std::vector<int64_t> weights(static_cast<size_t>(shape_.experts));
  for (int32_t rank = first; rank < first + count; ++rank) {
    const auto of_rank = recorded.Row(WorkerRank(rank));
    for (size_t e = 0; e < weights.size(); ++e) weights[e] += of_rank[e];
  }
  return ScaleToTokens(weights, tokens, shape_.top_k);
}

}  // namespace balancemoe::worker
