#include "coordinator/ctl/replay_command.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/io/profile_file.h"
#include "common/io/replay_json.h"
#include "common/io/trace_reader.h"
#include "common/replay/replay.h"
#include "common/status_macros.h"
#include "common/terminal/progress_line.h"
#include "coordinator/ctl/assignment_file.h"
#include "coordinator/ctl/exit_code.h"
#include "coordinator/ctl/flag_error.h"
#include "coordinator/ctl/gnuplot.h"
#include "coordinator/ctl/replay_flags.h"
#include "coordinator/ctl/replay_plot.h"
#include "coordinator/ctl/replay_table.h"

namespace balancemoe::coordinator {
namespace {

// How often the line on the terminal is drawn anew.
constexpr absl::Duration kRedrawInterval = absl::Milliseconds(100);

// Shows how far the replay is, on a terminal only: logs have no use for it.
class ReplayProgress {
 public:
  explicit ReplayProgress(const Clock& clock)
      : clock_(clock), start_(clock.Now()), drawn_(start_) {}

  void Update(int64_t done, int64_t total) {
    const absl::Time now = clock_.Now();
    if (done == 0 || now - drawn_ < kRedrawInterval) return;
    drawn_ = now;
    if (!line_.has_value()) {
      line_.emplace(
          ProgressLine::Options{
              .label = "replay", .total = total, .terminal = true},
          std::cerr);
    }
    line_->Update(done, "decisions",
                  (now - start_) * (static_cast<double>(total - done) /
                                    static_cast<double>(done)));
  }
  void Finish() {
    if (line_.has_value()) line_->Finish();
  }

 private:
  const Clock& clock_;
  const absl::Time start_;
  absl::Time drawn_;
  std::optional<ProgressLine> line_;
};

// What can be told before the long work.
absl::Status ValidateOutputs(const ReplayFlags& flags) {
  if (flags.plot.empty()) return absl::OkStatus();
  BMOE_RETURN_IF_ERROR(OfFlag("--plot", ValidatePlotPath(flags.plot)));
  return OfFlag("--plot", FindGnuplot());
}

absl::StatusOr<ReplayReport> RunReplay(const ReplayFlags& flags,
                                       const Trace& trace,
                                       const Profile& profile,
                                       const ReplayOptions& options) {
  const SteadyClock clock;
  ReplayProgress progress(clock);
  ReplayObserver observer;
  if (isatty(STDERR_FILENO) != 0) {
    observer.progress = [&progress](int64_t done, int64_t total) {
      progress.Update(done, total);
    };
  }
  std::optional<AssignmentFile> assignments;
  if (!flags.dump_assignments.empty()) {
    absl::StatusOr<AssignmentFile> created =
        AssignmentFile::Create(flags.dump_assignments);
    if (!created.ok()) return OfFlag("--dump-assignments", created.status());
    assignments.emplace(*std::move(created));
    observer.assignment = [&assignments](const Assignment& assignment) {
      assignments->Add(assignment);
    };
  }
  absl::StatusOr<ReplayReport> report =
      Replay(trace, profile, options, observer, clock);
  progress.Finish();
  // All else that Replay refuses was refused before, flag by flag.
  if (!report.ok()) return OfFlag("--policy", report.status());
  if (assignments.has_value()) {
    BMOE_RETURN_IF_ERROR(OfFlag("--dump-assignments", assignments->Close()));
  }
  return report;
}

absl::Status ReplayAndShow(const ReplayFlags& flags) {
  BMOE_RETURN_IF_ERROR(ValidateOutputs(flags));
  const absl::StatusOr<Profile> profile = LoadProfile(flags.profile);
  if (!profile.ok()) return OfFlag("--profile", profile.status());
  const absl::StatusOr<Trace> trace = ReadTrace(flags.trace);
  if (!trace.ok()) return OfFlag("--trace", trace.status());
  BMOE_ASSIGN_OR_RETURN(const ReplayOptions options, OptionsFor(flags, *trace));
  BMOE_ASSIGN_OR_RETURN(const ReplayReport report,
                        RunReplay(flags, *trace, *profile, options));
  if (!flags.plot.empty()) {
    BMOE_RETURN_IF_ERROR(RunGnuplot(ReplayPlotScript(report, flags.plot)));
  }
  if (flags.output == "json") {
    std::cout << OneLine(ReplayJson(report)) << "\n";
  } else {
    std::cout << ReplayTable(report);
  }
  return absl::OkStatus();
}

}  // namespace

void AddReplayCommand(CLI::App& app) {
  CLI::App* const replay = app.add_subcommand(
      "replay",
      "Policies side by side on a recorded trace, under one timing rule");
  const auto flags = std::make_shared<ReplayFlags>();
  AddReplayFlags(*replay, *flags);
  replay->callback([flags] { EndCommand(ReplayAndShow(*flags)); });
}

}  // namespace balancemoe::coordinator
