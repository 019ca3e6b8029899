#ifndef BALANCEMOE_COORDINATOR_CTL_REPLAY_FLAGS_H_
#define BALANCEMOE_COORDINATOR_CTL_REPLAY_FLAGS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/replay/replay.h"
#include "common/replay/trace.h"

namespace balancemoe::coordinator {

// The command line of `balancemoectl replay`.
struct ReplayFlags {
  std::string trace;
  std::string profile = "h200-nvlink";
  ReplayOptions options;
  // A:B
  std::optional<std::string> iterations;
  std::vector<int32_t> layers;
  // Files; empty: none.
  std::string dump_assignments;
  std::string plot;
  std::string output = "table";
};

// `flags` must outlive `command`.
void AddReplayFlags(CLI::App& command, ReplayFlags& flags);

// The options for Replay, checked as far as flags and trace say.
//
// Errors: InvalidArgument, naming the flag and what would be right.
absl::StatusOr<ReplayOptions> OptionsFor(const ReplayFlags& flags,
                                         const Trace& trace);

// Errors: InvalidArgument, naming --workers, for workers that the trace's
// experts cannot be split over in equal parts.
absl::Status ValidateExpertsPerWorker(const Trace& trace, int32_t workers);

// The same, and for workers over which the source ranks cannot be split.
absl::Status ValidateWorkers(const Trace& trace, int32_t workers);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_REPLAY_FLAGS_H_
