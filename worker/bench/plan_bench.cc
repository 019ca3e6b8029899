#include "worker/bench/plan_bench.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/io/profile_file.h"
#include "common/statistics.h"
#include "common/status_macros.h"
#include "common/terminal/progress_line.h"
#include "worker/bench/plan_options.h"
#include "worker/bench/plan_report.h"
#include "worker/bench/plan_steps.h"

namespace balancemoe::worker {
namespace {

constexpr char kProfile[] = "h200-nvlink";
// One core is stopped now and then, but not every microsecond.
constexpr absl::Duration kBetweenUpdates = absl::Milliseconds(200);

constexpr char kP50[] = "_p50";
constexpr char kP99[] = "_p99";

void Count(benchmark::State& state, const std::string& name,
           const std::vector<double>& times_us) {
  state.counters[name + kP50] = Quantile(times_us, 0.5);
  state.counters[name + kP99] = Quantile(times_us, 0.99);
}

Quantiles ReadCounters(const benchmark::UserCounters& counters,
                       const std::string& name) {
  return {counters.at(name + kP50).value, counters.at(name + kP99).value};
}

// An iteration is a plan; its time is what solving it took.
void TimePlans(benchmark::State& state, const PlanSize& size,
               const PolicyChoice& choice, const Profile& profile) {
  const SteadyClock clock;
  PlanSteps steps(size, choice, profile, clock);
  ProgressLine progress({.label = absl::StrCat("workers ", size.workers,
                                               ", experts ", size.experts),
                         .total = static_cast<int64_t>(state.max_iterations),
                         .terminal = isatty(STDERR_FILENO) != 0},
                        std::cerr);
  const absl::Time start = clock.Now();
  absl::Time shown = start;
  std::vector<double> solve_us;
  std::vector<double> from_scratch_us;
  std::vector<double> split_us;
  for ([[maybe_unused]] auto _ : state) {
    const absl::StatusOr<PlanTimes> times = steps.Next();
    if (!times.ok()) {
      state.SkipWithError(std::string(times.status().message()).c_str());
      break;
    }
    state.SetIterationTime(times->solve_us * 1e-6);
    solve_us.push_back(times->solve_us);
    from_scratch_us.push_back(times->from_scratch_us);
    split_us.push_back(times->split_us);
    const absl::Time now = clock.Now();
    if (now - shown < kBetweenUpdates) continue;
    shown = now;
    const auto done = static_cast<int64_t>(solve_us.size());
    progress.Update(done, "",
                    (now - start) / done * (state.max_iterations - done));
  }
  progress.Finish();
  Count(state, "solve_us", solve_us);
  Count(state, "from_scratch_us", from_scratch_us);
  Count(state, "split_us", split_us);
}

// Keeps the figures of each size instead of printing them.
class FigureCollector final : public benchmark::BenchmarkReporter {
 public:
  explicit FigureCollector(const std::vector<PlanSize>& sizes)
      : sizes_(sizes) {}

  bool ReportContext(const Context& /*context*/) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        status_.Update(absl::InternalError(run.error_message));
        continue;
      }
      figures_.push_back(
          {.size = sizes_[figures_.size()],
           .solve_us = ReadCounters(run.counters, "solve_us"),
           .from_scratch_us = ReadCounters(run.counters, "from_scratch_us"),
           .split_us = ReadCounters(run.counters, "split_us")});
    }
  }

  const absl::Status& status() const { return status_; }
  const std::vector<PlanFigures>& figures() const { return figures_; }

 private:
  const std::vector<PlanSize>& sizes_;
  absl::Status status_;
  std::vector<PlanFigures> figures_;
};

absl::Status RunPlans(PlanOptions options) {
  BMOE_RETURN_IF_ERROR(CompletePlanOptions(options));
  BMOE_ASSIGN_OR_RETURN(const Profile profile, LoadProfile(kProfile));
  for (const PlanSize& size : options.sizes) {
    benchmark::RegisterBenchmark(
        absl::StrCat("plan/", size.workers, "/", size.experts).c_str(),
        [&](benchmark::State& state) {
          TimePlans(state, size, options.choice, profile);
        })
        ->Iterations(options.plans)
        ->UseManualTime();
  }
  FigureCollector collector(options.sizes);
  benchmark::RunSpecifiedBenchmarks(&collector);
  BMOE_RETURN_IF_ERROR(collector.status());
  if (options.output == "json") {
    std::cout << BuildPlanReport(options.choice, collector.figures()).dump()
              << "\n";
  } else {
    std::cout << PlanTable(options.choice, collector.figures());
  }
  return absl::OkStatus();
}

}  // namespace

void AddPlanBench(CLI::App& app) {
  CLI::App* const plan = app.add_subcommand(
      "plan", "How long a policy takes to plan one layer, on one core");
  const auto options = std::make_shared<PlanOptions>();
  AddPlanFlags(*plan, *options);
  plan->callback([options] {
    const absl::Status status = RunPlans(*options);
    if (status.ok()) return;
    std::cerr << "balancemoe-bench plan: " << status.message() << "\n";
    throw CLI::RuntimeError(absl::IsInvalidArgument(status) ? 2 : 1);
  });
}

}  // namespace balancemoe::worker
