#include "common/io/trace_writer.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/io/text_file.h"

namespace balancemoe {
namespace {

void AppendHeader(const Trace& trace, std::string& text) {
  text += trace.num_ranks > 0 ? "iteration,layer,rank" : "iteration,layer";
  for (int32_t expert = 0; expert < trace.num_experts; ++expert) {
    absl::StrAppend(&text, ",e", expert);
  }
  text += '\n';
}

void AppendRecord(const Trace& trace, const TraceRecord& record,
                  std::string& text) {
  for (int32_t rank = 0; rank < record.tokens.num_workers(); ++rank) {
    absl::StrAppend(&text, record.iteration.value(), ",", record.layer.value());
    if (trace.num_ranks > 0) absl::StrAppend(&text, ",", rank);
    for (const int64_t count : record.tokens.Row(WorkerRank(rank))) {
      absl::StrAppend(&text, ",", count);
    }
    text += '\n';
  }
}

}  // namespace

std::string FormatTrace(const Trace& trace) {
  std::string text;
  AppendHeader(trace, text);
  for (const TraceRecord& record : trace.records) {
    AppendRecord(trace, record, text);
  }
  return text;
}

absl::Status WriteTrace(const Trace& trace, const std::string& path) {
  return WriteTextFile(path, FormatTrace(trace));
}

}  // namespace balancemoe
