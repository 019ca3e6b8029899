#include "coordinator/ctl/trace_command.h"

#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/io/input_error.h"
#include "common/io/replay_json.h"
#include "common/io/text_file.h"
#include "common/io/trace_conversion.h"
#include "common/io/trace_reader.h"
#include "common/io/trace_writer.h"
#include "common/status_macros.h"
#include "coordinator/ctl/exit_code.h"
#include "coordinator/ctl/flag_error.h"
#include "coordinator/ctl/replay_flags.h"
#include "coordinator/ctl/trace_summary.h"

namespace balancemoe::coordinator {
namespace {

constexpr int32_t kUsualWorkers = 8;

struct DescribeFlags {
  std::string file;
  std::optional<int32_t> workers;
  std::string output = "table";
};

struct ConvertFlags {
  std::string input;
  std::string output;
  std::string format;
  std::string separator;
  TraceColumns columns;
};

// The largest number up to the usual one that fits the trace.
int32_t UsualWorkers(const Trace& trace) {
  int32_t workers = kUsualWorkers;
  while (workers > trace.num_experts || trace.num_experts % workers != 0) {
    --workers;
  }
  return workers;
}

absl::Status Describe(const DescribeFlags& flags) {
  const absl::StatusOr<Trace> trace = ReadTrace(flags.file);
  if (!trace.ok()) return OfFlag("FILE", trace.status());
  const int32_t workers = flags.workers.value_or(UsualWorkers(*trace));
  BMOE_RETURN_IF_ERROR(ValidateExpertsPerWorker(*trace, workers));
  const TraceSummary summary = SummariseTrace(*trace, workers);
  if (flags.output == "json") {
    std::cout << OneLine(TraceSummaryJson(summary)) << "\n";
  } else {
    std::cout << TraceSummaryText(summary);
  }
  return absl::OkStatus();
}

void AddDescribe(CLI::App& trace) {
  CLI::App* const describe = trace.add_subcommand(
      "describe", "What is in a trace, and how imbalanced it is");
  const auto flags = std::make_shared<DescribeFlags>();
  describe
      ->add_option("FILE", flags->file,
                   "CSV of iteration,layer[,rank],e0,e1,...; plain, gzip or "
                   "zstd")
      ->required();
  describe
      ->add_option("--workers", flags->workers,
                   "Workers to place the experts on, for the imbalance "
                   "(default: 8, or the next lower number that divides the "
                   "experts)")
      ->check(CLI::Range(1, 65'536));
  describe
      ->add_option("-o,--output", flags->output,
                   "table: for people; json: one object")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  describe->callback([flags] { EndCommand(Describe(*flags)); });
}

absl::Status ValidateColumns(const TraceColumns& columns) {
  const int ways = (columns.expert_prefix.empty() ? 0 : 1) +
                   (columns.counts_array.empty() ? 0 : 1) +
                   (columns.expert.empty() ? 0 : 1);
  if (ways == 1 && columns.expert.empty() == columns.count.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "--expert-prefix, --counts, --expert: name the columns of the counts by "
      "exactly one of --expert-prefix, --counts, or --expert with --count");
}

absl::StatusOr<char> Separator(const std::string& text) {
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() == 1 && text != "\"") return text[0];
  return absl::InvalidArgumentError(absl::StrCat(
      "--separator: ", Quoted(text), " is not one character, or tab"));
}

TableFormat FormatFor(const ConvertFlags& flags, absl::string_view text) {
  if (flags.format == "csv") return TableFormat::kCsv;
  if (flags.format == "jsonl") return TableFormat::kJsonLines;
  return absl::StartsWith(text, "{") ? TableFormat::kJsonLines
                                     : TableFormat::kCsv;
}

absl::Status Convert(const ConvertFlags& flags) {
  BMOE_RETURN_IF_ERROR(ValidateColumns(flags.columns));
  BMOE_ASSIGN_OR_RETURN(const char separator, Separator(flags.separator));
  const absl::StatusOr<std::string> text = ReadTextFile(flags.input);
  if (!text.ok()) return OfFlag("IN", text.status());
  BMOE_ASSIGN_OR_RETURN(
      const Trace trace,
      ConvertTrace(*text, {.table = {.name = flags.input,
                                     .format = FormatFor(flags, *text),
                                     .separator = separator},
                           .columns = flags.columns}));
  BMOE_RETURN_IF_ERROR(OfFlag("OUT", WriteTrace(trace, flags.output)));
  std::cerr << flags.output << ": " << trace.records.size() << " decisions of "
            << trace.layers.size() << " layers, " << trace.num_experts
            << " experts\n";
  return absl::OkStatus();
}

void AddColumnFlags(CLI::App& convert, TraceColumns& columns) {
  const auto add = [&convert](const char* name, std::string& value,
                              const char* text) {
    return convert.add_option(name, value, text)->group("Columns");
  };
  add("--iteration", columns.iteration, "Column of the iteration")
      ->capture_default_str();
  add("--layer", columns.layer, "Column of the layer")->capture_default_str();
  add("--rank", columns.rank,
      "Column of the source rank (default: rows are sums over all sources)");
  add("--expert-prefix", columns.expert_prefix,
      "A column per expert: this prefix and its number");
  add("--counts", columns.counts_array,
      "One column with an array of all experts' counts, [5, 0, 7]");
  add("--expert", columns.expert,
      "A row per expert: column of its number; experts without a row have 0");
  add("--count", columns.count, "With --expert: column of its count");
}

void AddConvert(CLI::App& trace) {
  CLI::App* const convert = trace.add_subcommand(
      "convert",
      "Make a trace of another table of routing counts; columns are those of "
      "CSV, or fields of JSON lines");
  const auto flags = std::make_shared<ConvertFlags>();
  flags->format = "auto";
  flags->separator = ",";
  convert
      ->add_option("IN", flags->input,
                   "CSV with a header, or JSON lines; plain, gzip or zstd")
      ->required();
  convert
      ->add_option("OUT", flags->output,
                   "The trace to write; .gz or .zst compresses it")
      ->required();
  convert
      ->add_option("--format", flags->format,
                   "Of IN; auto: jsonl if it begins with {")
      ->check(CLI::IsMember({"auto", "csv", "jsonl"}))
      ->capture_default_str();
  convert
      ->add_option("--separator", flags->separator,
                   "Between the cells of CSV: a character, or tab")
      ->capture_default_str();
  AddColumnFlags(*convert, flags->columns);
  convert->callback([flags] { EndCommand(Convert(*flags)); });
}

}  // namespace

void AddTraceCommand(CLI::App& app) {
  CLI::App* const trace = app.add_subcommand(
      "trace", "Look at recorded traces, or make them of other tables");
  trace->require_subcommand(1);
  AddDescribe(*trace);
  AddConvert(*trace);
}

}  // namespace balancemoe::coordinator
