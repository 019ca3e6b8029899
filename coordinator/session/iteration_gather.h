#ifndef BALANCEMOE_COORDINATOR_SESSION_ITERATION_GATHER_H_
#define BALANCEMOE_COORDINATOR_SESSION_ITERATION_GATHER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/load_matrix.h"
#include "coordinator/cluster/job_membership.h"

namespace balancemoe::coordinator {

// Why a report is not taken.
enum class ReportRejection {
  // Makes no sense: its sender is broken.
  kWrongLength,
  kNegative,
  kAbsurd,
  kUnknownLayer,
  kRepeatedLayer,
  kFarFuture,
  // Makes sense, but comes at the wrong time: its sender is slow, or says it
  // twice.
  kStaleIteration,
  kLate,
  kDuplicate,
  kOtherPlacement,
  kTooManyOpen,
};
// "wrong_length", "negative", ...: a metric label.
absl::string_view ToString(ReportRejection rejection);
// Whether no worker in order would ever send such a report.
bool IsNonsense(ReportRejection rejection);

// What one worker routed in one iteration.
struct WorkerReport {
  Iteration iteration;
  absl::Span<const int32_t> layers;
  // Row-major [layers, experts].
  absl::Span<const int64_t> tokens_per_expert;
  // Of the homes by which the worker routes.
  uint64_t placement_version = 0;
};

// The reports of all workers for one layer of one iteration.
struct CompleteGather {
  Iteration iteration;
  LayerId layer;
  LoadMatrix tokens;
  // When the first report came.
  absl::Time opened;
  // JobPlacement::version, the same in all reports.
  uint64_t placement_version = 0;
};

// A layer that gets no plan in one iteration.
struct MissedGather {
  Iteration iteration;
  LayerId layer;
  // "deadline", "superseded", "placement" or "mode": a metric label.
  absl::string_view cause;
  // For people.
  std::string reason;
};

struct ReportOutcome {
  // Set when the report is refused; then it had no effect at all.
  std::optional<ReportRejection> rejection;
  // Why, with values.
  std::string message;
  // When the first report came for one of its layers.
  absl::Time opened;
  std::vector<CompleteGather> complete;
  std::vector<MissedGather> missed;
};

// Collects the workers' reports of each layer and iteration until all are there
// or the report deadline passes.
//
// Memory is bounded: few gathers are open per layer, and where they compete the
// lower iterations win, because a job in order is never far ahead. Not
// thread-safe; belongs to the strand of its job.
class IterationGather {
 public:
  struct Options {
    // From the first report of a layer to the last.
    absl::Duration report_deadline = absl::Milliseconds(50);
    size_t open_per_layer = 4;
    // Of all open gathers of the job.
    size_t open_bytes = size_t{256} << 20;
    // How far beyond the newest complete iteration a report may be.
    int64_t farthest_lead = 100'000;
  };

  IterationGather(const Options& options, const JobShape& shape);

  // `rank` is one of the job's.
  ReportOutcome Add(WorkerRank rank, const WorkerReport& report,
                    absl::Time now);

  // Gives up the gathers whose deadline is over by `now`.
  std::vector<MissedGather> Expire(absl::Time now);
  // When Expire is due; InfiniteFuture when nothing is open.
  absl::Time next_deadline() const;

  // A worker came back and may be far from where it was: the next iterations
  // may be any.
  void ForgetPosition() { newest_complete_.reset(); }
  // Forgets everything that is open.
  void Clear();

 private:
  struct Open {
    Iteration iteration;
    absl::Time opened;
    LoadMatrix tokens;
    std::vector<bool> reported;
    int32_t reports = 0;
    uint64_t placement_version = 0;
  };
  struct Layer {
    // In order of iteration.
    std::vector<Open> open;
    // The newest iteration with a plan.
    Iteration newest_complete = Iteration(-1);
    // The last iterations that were given up.
    std::deque<Iteration> given_up;
  };

  ReportOutcome Refuse(ReportRejection rejection, std::string message) const;
  std::optional<ReportOutcome> RefuseContent(const WorkerReport& report) const;
  std::optional<ReportOutcome> RefuseTime(WorkerRank rank,
                                          const WorkerReport& report) const;
  bool HasRoom(const Layer& layer) const;
  // False when no gather of `iteration` may be open in `layer`, now or by
  // closing a later one.
  bool MayOpen(const Layer& layer, Iteration iteration) const;
  Open& FindOrOpen(LayerId id, Iteration iteration, absl::Time now,
                   std::vector<MissedGather>* missed);
  void AddRow(WorkerRank rank, LayerId id, const WorkerReport& report,
              absl::Span<const int64_t> row, absl::Time now,
              ReportOutcome* outcome);
  MissedGather GiveUp(LayerId id, size_t index, absl::string_view cause,
                      std::string reason);
  std::string WhoIsMissing(const Open& open) const;
  void CloseUpTo(LayerId id, Iteration iteration,
                 std::vector<MissedGather>* missed);

  const Options options_;
  const JobShape shape_;
  const size_t bytes_per_gather_;

  std::vector<Layer> layers_;
  size_t open_gathers_ = 0;
  std::optional<Iteration> newest_complete_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SESSION_ITERATION_GATHER_H_
