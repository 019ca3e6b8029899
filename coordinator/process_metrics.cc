#include "coordinator/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "coordinator/version.h"

namespace balancemoe::coordinator {
namespace {

prometheus::MetricFamily Family(const std::string& name,
                                const std::string& help,
                                prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {metric}};
}

// The fields of /proc/self/stat from the third on ("state"): the second, the
// program's name, may hold spaces.
std::vector<double> StatFields() {
  std::ifstream file("/proc/self/stat");
  const std::string line((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  const size_t name_end = line.rfind(')');
  std::vector<double> fields;
  if (name_end == std::string::npos) return fields;
  for (const absl::string_view word :
       absl::StrSplit(absl::string_view(line).substr(name_end + 1), ' ',
                      absl::SkipWhitespace())) {
    double value = 0;
    fields.push_back(absl::SimpleAtod(word, &value) ? value : 0);
  }
  return fields;
}

double BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double seconds = 0;
  while (file >> word) {
    if (word == "btime" && file >> seconds) break;
  }
  return seconds;
}

double OpenFiles() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end;
       !error && at != end; at.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  // proc(5) numbers these 14, 15, 20, 22, 23 and 24.
  if (const std::vector<double> stat = StatFields(); stat.size() > 21) {
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
    families.push_back(
        Family("process_cpu_seconds_total", "Processor time, user and system.",
               MetricType::Counter, (stat[11] + stat[12]) / ticks));
    families.push_back(
        Family("process_threads", "Threads.", MetricType::Gauge, stat[17]));
    families.push_back(
        Family("process_start_time_seconds", "Start, as seconds since 1970.",
               MetricType::Gauge, BootTimeSeconds() + stat[19] / ticks));
    families.push_back(Family("process_virtual_memory_bytes", "Address space.",
                              MetricType::Gauge, stat[20]));
    families.push_back(Family("process_resident_memory_bytes", "Memory in use.",
                              MetricType::Gauge, stat[21] * page));
  }
  families.push_back(Family("process_open_fds", "Open file descriptors.",
                            MetricType::Gauge, OpenFiles()));
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    families.push_back(
        Family("process_max_fds", "How many file descriptors may be open.",
               MetricType::Gauge, static_cast<double>(files.rlim_cur)));
  }
  families.push_back(Family("balancemoe_build_info", "The version that runs.",
                            MetricType::Gauge, 1));
  families.back().metric[0].label = {{"version", Version()}};
  return families;
}

}  // namespace balancemoe::coordinator
