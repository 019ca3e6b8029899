#include "worker/bench/service_run.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "worker/bench/service_echo_process.h"
#include "worker/bench/simulated_workers.h"
#include "worker/train/embedded_coordinator.h"

namespace balancemoe::worker {
namespace {

// Rounds against one server before it is the other's turn.
constexpr int64_t kRoundsPerTurn = 20;
constexpr int64_t kWarmUpTurns = 2;
// A busy machine may hold workers up; a bench is about plans that are made.
// No longer than the heartbeat interval, which would change how sessions read.
constexpr absl::Duration kReportDeadline = absl::Seconds(1);

// Processor time that a process has used.
double ProcessorUs(const ChildProcess& process) {
  clockid_t clock;
  timespec used{};
  if (clock_getcpuclockid(process.pid(), &clock) != 0 ||
      clock_gettime(clock, &used) != 0) {
    return 0;
  }
  return absl::ToDoubleMicroseconds(absl::DurationFromTimespec(used));
}

absl::Status EndingSignalCame() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const timespec at_once{};
  if (sigtimedwait(&signals, nullptr, &at_once) < 0) return absl::OkStatus();
  return absl::CancelledError("stopped by a signal");
}

// Counts iterations, and layers within them.
class RoundCounter {
 public:
  explicit RoundCounter(int32_t layers) : layers_(layers) {}

  Iteration iteration() const { return Iteration(rounds_ / layers_); }
  LayerId layer() const {
    return LayerId(static_cast<int32_t>(rounds_ % layers_));
  }
  void Advance() { ++rounds_; }

 private:
  const int32_t layers_;
  int64_t rounds_ = 0;
};

// The simulated workers of a coordinator.
class CoordinatorSide {
 public:
  CoordinatorSide(const ServiceOptions& options,
                  const EmbeddedCoordinator& coordinator)
      : job_(options.job),
        workers_(job_, coordinator.grpc_address(), options.connections),
        round_(job_.layers) {
    for (int32_t layer = 0; layer < job_.layers; ++layer) {
      expected_.push_back(ExpectedDecision(job_, LayerId(layer)));
    }
  }

  absl::Status Join() {
    BMOE_RETURN_IF_ERROR(workers_.Register());
    BMOE_RETURN_IF_ERROR(workers_.OpenSessions());
    return workers_.SendCalibrations();
  }

  absl::Status Turn(ServerTimes* times) {
    for (int64_t i = 0; i < kRoundsPerTurn; ++i, round_.Advance()) {
      BMOE_ASSIGN_OR_RETURN(const absl::Duration time,
                            workers_.Round(round_.iteration(), round_.layer()));
      times->round_us.push_back(absl::ToDoubleMicroseconds(time));
      BMOE_ASSIGN_OR_RETURN(const std::vector<absl::string_view> plans,
                            workers_.plans());
      BMOE_RETURN_IF_ERROR(CheckPlans(job_, expected_[round_.layer().index()],
                                      round_.iteration(), round_.layer(),
                                      plans));
      plan_bytes_ = plans.front().size();
    }
    return absl::OkStatus();
  }

  // Of the last plan.
  size_t plan_bytes() const { return plan_bytes_; }

 private:
  const ServiceJob job_;
  SimulatedWorkers workers_;
  RoundCounter round_;
  // By layer.
  std::vector<LayerPlan> expected_;
  size_t plan_bytes_ = 0;
};

// The same workers, with a server that knows nothing of jobs.
class EchoSide {
 public:
  EchoSide(const ServiceOptions& options, const EchoProcess& echo)
      : workers_(options.job, echo.address(), options.connections),
        round_(options.job.layers) {}

  absl::Status Join() { return workers_.OpenSessions(); }

  absl::Status Turn(ServerTimes* times) {
    for (int64_t i = 0; i < kRoundsPerTurn; ++i, round_.Advance()) {
      BMOE_ASSIGN_OR_RETURN(const absl::Duration time,
                            workers_.Round(round_.iteration(), round_.layer()));
      times->round_us.push_back(absl::ToDoubleMicroseconds(time));
      BMOE_RETURN_IF_ERROR(workers_.plans().status());
    }
    return absl::OkStatus();
  }

 private:
  SimulatedWorkers workers_;
  RoundCounter round_;
};

// One turn, and the processor time that `process` used in it.
template <typename Side>
absl::Status TimeTurn(Side& side, const ChildProcess& process,
                      ServerTimes* times) {
  const double before = ProcessorUs(process);
  BMOE_RETURN_IF_ERROR(side.Turn(times));
  times->processor_us += ProcessorUs(process) - before;
  return EndingSignalCame();
}

// A line that is drawn over on a terminal; elsewhere only the first and last.
class ProgressLine {
 public:
  ProgressLine(const ServiceOptions& options, std::ostream& out)
      : out_(out), terminal_(isatty(STDERR_FILENO) == 1) {
    out_ << absl::StrFormat(
                "%d workers on %d connections, %d experts, %s, beside a bare "
                "echo; plans are right; measuring for %g s\n",
                options.job.workers, options.connections, options.job.experts,
                options.job.policy.ToString(), options.seconds)
         << std::flush;
  }
  void Show(double share) {
    if (terminal_) {
      out_ << absl::StrFormat("\r%3.0f %%", 100 * share) << std::flush;
    }
  }
  ~ProgressLine() {
    if (terminal_) out_ << "\r     \r" << std::flush;
  }

 private:
  std::ostream& out_;
  const bool terminal_;
};

absl::StatusOr<ServiceTimes> Measure(const ServiceOptions& options,
                                     std::ostream& progress) {
  BMOE_ASSIGN_OR_RETURN(
      const auto coordinator,
      EmbeddedCoordinator::Start({.report_deadline = kReportDeadline}));
  CoordinatorSide planned(options, *coordinator);
  BMOE_RETURN_IF_ERROR(planned.Join());
  ServiceTimes warm_up;
  for (int64_t i = 0; i < kWarmUpTurns; ++i) {
    BMOE_RETURN_IF_ERROR(planned.Turn(&warm_up.coordinator));
  }

  BMOE_ASSIGN_OR_RETURN(const auto echo,
                        EchoProcess::Start(planned.plan_bytes()));
  EchoSide echoed(options, *echo);
  BMOE_RETURN_IF_ERROR(echoed.Join());
  for (int64_t i = 0; i < kWarmUpTurns; ++i) {
    BMOE_RETURN_IF_ERROR(echoed.Turn(&warm_up.echo));
  }

  ServiceTimes times;
  ProgressLine line(options, progress);
  const SteadyClock clock;
  const absl::Duration length = absl::Seconds(options.seconds);
  const absl::Time began = clock.Now();
  while (clock.Now() < began + length) {
    BMOE_RETURN_IF_ERROR(
        TimeTurn(planned, coordinator->process(), &times.coordinator));
    BMOE_RETURN_IF_ERROR(TimeTurn(echoed, echo->process(), &times.echo));
    line.Show(absl::FDivDuration(clock.Now() - began, length));
  }
  times.plan_bytes = planned.plan_bytes();
  return times;
}

}  // namespace

absl::StatusOr<ServiceTimes> MeasureService(const ServiceOptions& options,
                                            std::ostream& progress) {
  absl::StatusOr<ServiceTimes> times = Measure(options, progress);
  if (!times.ok()) {
    // A terminal sends the signal to the servers too, and they may be gone
    // before it is seen here.
    BMOE_RETURN_IF_ERROR(EndingSignalCame());
  }
  return times;
}

}  // namespace balancemoe::worker
