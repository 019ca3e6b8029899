#include "coordinator/ctl/replay_flags.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/io/input_error.h"
#include "common/io/profile_file.h"
#include "common/status_macros.h"

namespace balancemoe::coordinator {
namespace {

constexpr int32_t kMostWorkers = 65'536;

void AddInputFlags(CLI::App& command, ReplayFlags& flags) {
  command
      .add_option("--trace", flags.trace,
                  "Recorded counts: CSV of iteration,layer[,rank],e0,e1,...; "
                  "plain, gzip or zstd")
      ->required();
  command
      .add_option("--workers", flags.options.workers,
                  "Workers to place the experts on; divides the experts")
      ->check(CLI::Range(1, kMostWorkers))
      ->capture_default_str();
  command
      .add_option(
          "--profile", flags.profile,
          "Model and machine: " + absl::StrJoin(ShippedProfileNames(), ", ") +
              ", or a FILE.yaml")
      ->capture_default_str();
  command.add_option("--iterations", flags.iterations,
                     "A:B, values of the trace's iteration column, A included "
                     "and B not (default: all)");
  command
      .add_option("--layers", flags.layers,
                  "Layers, separated by commas (default: all)")
      ->delimiter(',');
}

void AddPolicyFlags(CLI::App& command, ReplayFlags& flags) {
  ReplayOptions& options = flags.options;
  command
      .add_option("--policy", options.policies,
                  "Policies to compare, separated by commas")
      ->required()
      ->delimiter(',');
  command
      .add_option("--mode", options.mode,
                  "When plans are made; native: each policy as its own system "
                  "does it")
      ->check(CLI::IsMember({"native", "inline", "ahead", "hybrid"}))
      ->capture_default_str();
  command
      .add_option("--slots", options.slots,
                  "Spare slots per worker of the policy adaptive; the others "
                  "keep what their systems have")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command
      .add_option("--objective", options.objective,
                  "What the policy adaptive makes small: the layer's time, or "
                  "the imbalance with the fewest copies")
      ->check(CLI::IsMember({"time", "imbalance"}))
      ->capture_default_str();
  command
      .add_option("--target-imbalance", options.target_imbalance,
                  "With --objective imbalance: the peak load over the mean "
                  "that suffices")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
}

void AddOutputFlags(CLI::App& command, ReplayFlags& flags) {
  command.add_option("--dump-assignments", flags.dump_assignments,
                     "Write who computes what to FILE.csv[.gz|.zst]: "
                     "policy,iteration,layer,expert,worker,tokens");
  command.add_option("--plot", flags.plot,
                     "Draw imbalance and layer times into FILE.svg or FILE.png "
                     "(needs gnuplot)");
  command
      .add_option("-o,--output", flags.output,
                  "table: for people; json: one object")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

absl::Status Wrong(absl::string_view flag, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", problem));
}

std::string Divisors(int32_t experts, int32_t ranks) {
  std::vector<int32_t> divisors;
  for (int32_t workers = 1; workers <= experts; ++workers) {
    if (experts % workers != 0) continue;
    if (ranks > 0 && ranks % workers != 0) continue;
    divisors.push_back(workers);
  }
  return absl::StrJoin(divisors, ", ");
}

absl::Status SetIterations(const std::string& text, const Trace& trace,
                           ReplayOptions& options) {
  const std::vector<std::string> ends = absl::StrSplit(text, ':');
  int64_t first = 0;
  int64_t end = 0;
  if (ends.size() != 2 || !absl::SimpleAtoi(ends[0], &first) ||
      !absl::SimpleAtoi(ends[1], &end)) {
    return Wrong("--iterations",
                 absl::StrCat(Quoted(text), " is not A:B, two whole numbers"));
  }
  if (first >= end) {
    return Wrong("--iterations",
                 absl::StrCat(text,
                              " holds no iteration; A:B starts with A and ends "
                              "before B, so A is smaller than B"));
  }
  const bool any =
      absl::c_any_of(trace.records, [first, end](const TraceRecord& record) {
        return record.iteration.value() >= first &&
               record.iteration.value() < end;
      });
  if (!any) {
    return Wrong("--iterations",
                 absl::StrCat("no iteration of ", trace.name, " is in ", text,
                              "; they reach from ",
                              trace.records.front().iteration.value(), " to ",
                              trace.records.back().iteration.value()));
  }
  options.first_iteration = Iteration(first);
  options.end_iteration = Iteration(end);
  return absl::OkStatus();
}

absl::Status SetLayers(const ReplayFlags& flags, const Trace& trace,
                       ReplayOptions& options) {
  for (const int32_t layer : flags.layers) {
    if (!absl::c_linear_search(trace.layers, LayerId(layer))) {
      const auto append_value = [](std::string* out, LayerId id) {
        absl::StrAppend(out, id.value());
      };
      return Wrong(
          "--layers",
          absl::StrCat(layer, " is no layer of ", trace.name, "; ",
                       absl::StrJoin(trace.layers, ",", append_value), " are"));
    }
    options.layers.push_back(LayerId(layer));
  }
  return absl::OkStatus();
}

}  // namespace

void AddReplayFlags(CLI::App& command, ReplayFlags& flags) {
  AddInputFlags(command, flags);
  AddPolicyFlags(command, flags);
  AddOutputFlags(command, flags);
}

absl::Status ValidateExpertsPerWorker(const Trace& trace, int32_t workers) {
  if (workers > trace.num_experts) {
    return Wrong(
        "--workers",
        absl::StrCat(workers, " workers are more than the ", trace.num_experts,
                     " experts of ", trace.name, "; at most that many"));
  }
  if (trace.num_experts % workers == 0) return absl::OkStatus();
  return Wrong("--workers",
               absl::StrCat(workers, " does not divide the ", trace.num_experts,
                            " experts of ", trace.name, "; one of ",
                            Divisors(trace.num_experts, 0), " does"));
}

absl::Status ValidateWorkers(const Trace& trace, int32_t workers) {
  BMOE_RETURN_IF_ERROR(ValidateExpertsPerWorker(trace, workers));
  if (trace.num_ranks == 0 || trace.num_ranks % workers == 0) {
    return absl::OkStatus();
  }
  return Wrong(
      "--workers",
      absl::StrCat(workers, " does not divide the ", trace.num_ranks,
                   " source ranks of ", trace.name, "; one of ",
                   Divisors(trace.num_experts, trace.num_ranks), " does"));
}

absl::StatusOr<ReplayOptions> OptionsFor(const ReplayFlags& flags,
                                         const Trace& trace) {
  ReplayOptions options = flags.options;
  BMOE_RETURN_IF_ERROR(ValidateWorkers(trace, options.workers));
  if (flags.iterations.has_value()) {
    BMOE_RETURN_IF_ERROR(SetIterations(*flags.iterations, trace, options));
  }
  BMOE_RETURN_IF_ERROR(SetLayers(flags, trace, options));
  return options;
}

}  // namespace balancemoe::coordinator
