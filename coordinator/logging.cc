#include "coordinator/logging.h"

#include <grpc/support/log.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace balancemoe::coordinator {
namespace {

// %v, as a JSON string.
class JsonText final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string text =
        nlohmann::json(
            std::string(message.payload.data(), message.payload.size()))
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonText>();
  }
};

// Lets a few lines per second pass and counts the others.
class LinesPerSecond {
 public:
  // True when a line may be written now.
  bool Take() {
    using std::chrono::steady_clock;
    const int64_t second = std::chrono::duration_cast<std::chrono::seconds>(
                               steady_clock::now().time_since_epoch())
                               .count();
    if (second_.exchange(second) != second) lines_ = 0;
    return lines_.fetch_add(1) < kMost;
  }

 private:
  static constexpr int kMost = 5;
  std::atomic<int64_t> second_ = 0;
  std::atomic<int> lines_ = 0;
};

void WriteGrpcLine(gpr_log_func_args* line) {
  static LinesPerSecond limit;
  if (line->severity == GPR_LOG_SEVERITY_DEBUG || !limit.Take()) return;
  const auto level = line->severity == GPR_LOG_SEVERITY_ERROR
                         ? spdlog::level::warn
                         : spdlog::level::info;
  spdlog::log(level, "gRPC: {}", line->message);
}

}  // namespace

void StartLogging(const std::string& format) {
  auto logger = std::make_shared<spdlog::logger>(
      "coordinator", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(
      spdlog::pattern_time_type::utc);
  if (format == "json") {
    formatter->add_flag<JsonText>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%*})");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v");
  }
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(WriteGrpcLine);
}

}  // namespace balancemoe::coordinator
