#ifndef BALANCEMOE_WORKER_TRAIN_RECORDED_ROUTES_H_
#define BALANCEMOE_WORKER_TRAIN_RECORDED_ROUTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/replay/trace.h"

namespace balancemoe::worker {

// `weights` scaled to tokens * top_k assignments, [E], by largest remainder: a
// tie goes to the lower expert. No expert gets more than `tokens`, since a
// token takes it once at most; what is too much goes to the others in
// proportion to their weights, equally where they have none. `weights` are not
// negative and at least `top_k`.
std::vector<int64_t> ScaleToTokens(absl::Span<const int64_t> weights,
                                   int64_t tokens, int32_t top_k);

// Routing by the counts of a recorded run: one iteration of the trace per step,
// the trace's l-th layer for layer l. A value.
class RecordedRoutes {
 public:
  struct Shape {
    int32_t workers = 1;
    int32_t layers = 1;
    int32_t experts = 1;
    int32_t top_k = 1;
  };

  // `iterations` is "A:B", values of the trace's iteration column with A and
  // without B; empty: all. Consecutive ranks of the trace form a worker, or
  // workers share a rank; without ranks each worker routes like the sum.
  //
  // Errors: InvalidArgument, naming the flag, for a trace that does not fit the
  // shape or has no such iterations.
  static absl::StatusOr<RecordedRoutes> Create(Trace trace,
                                               const std::string& iterations,
                                               const Shape& shape);

  // How many iterations there are before they come again.
  int64_t rows() const { return static_cast<int64_t>(rows_.size()); }

  // What `worker` routes to each expert, [E], of `tokens` tokens in row `row`,
  // any number from 0 on. As ScaleToTokens.
  std::vector<int64_t> Counts(int64_t row, LayerId layer, WorkerRank worker,
                              int64_t tokens) const;

 private:
  RecordedRoutes(const Shape& shape, std::vector<std::vector<LoadMatrix>> rows)
      : shape_(shape), rows_(std::move(rows)) {}

  Shape shape_;
  // [rows][layers], each [R, E].
  std::vector<std::vector<LoadMatrix>> rows_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_RECORDED_ROUTES_H_
