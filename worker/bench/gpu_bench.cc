#include "worker/bench/gpu_bench.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/terminal/text_table.h"
#include "worker/bench/gpu_kernels.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kMany = 1'000'000;

void AddFlags(CLI::App& app, GpuBenchOptions& options) {
  const auto add = [&app](const char* name, int64_t& value, const char* text) {
    app.add_option(name, value, text)
        ->check(CLI::Range(int64_t{1}, kMany))
        ->capture_default_str();
  };
  app.add_option("--device", options.device,
                 "Where to compute: cuda, the first GPU; cpu, to see that it "
                 "works")
      ->check(CLI::IsMember({"cuda", "cpu"}))
      ->capture_default_str();
  add("--hidden", options.hidden, "Width of the model, a multiple of 8");
  add("--ffn", options.ffn, "Width inside an expert, a multiple of 8");
  add("--experts", options.experts, "Experts of one worker");
  add("--tokens", options.tokens,
      "Rows of all experts' batches, in proportion 1, 1/2, 1/3...");
  add("--rounds", options.rounds, "Times that each way is timed");
  app.add_option("-o,--output", options.output,
                 "text: a table; json: one object")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

absl::Status Validate(const GpuBenchOptions& options) {
  if (options.hidden % 8 != 0 || options.ffn % 8 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--hidden ", options.hidden, ", --ffn ", options.ffn,
        ": grouped kernels take rows of whole 16 bytes; multiples of 8"));
  }
  if (options.tokens < options.experts) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tokens: ", options.tokens, " for ", options.experts,
                     " experts; at least one each"));
  }
  return absl::OkStatus();
}

std::string Json(const GpuBenchOptions& options,
                 const std::vector<KernelFigures>& figures) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const KernelFigures& of : figures) {
    rows.push_back({{"kernels", of.name},
                    {"ms", of.ms},
                    {"tflops", of.tflops},
                    {"speedup_over_loop", of.speedup_over_loop},
                    {"difference", of.difference}});
  }
  return nlohmann::ordered_json{
      {"device", options.device}, {"hidden", options.hidden},
      {"ffn", options.ffn},       {"experts", options.experts},
      {"tokens", options.tokens}, {"rounds", options.rounds},
      {"rows", std::move(rows)}}
      .dump();
}

std::string Table(const std::vector<KernelFigures>& figures) {
  std::vector<std::vector<std::string>> rows;
  for (const KernelFigures& of : figures) {
    rows.push_back({of.name, absl::StrFormat("%.2f", of.ms),
                    absl::StrFormat("%.2f", of.tflops),
                    absl::StrFormat("%.2f", of.speedup_over_loop),
                    absl::StrFormat("%.1e", of.difference)});
  }
  const std::vector<TextColumn> columns = {{.title = "kernels", .left = true},
                                           {"ms"},
                                           {"TFLOP/s"},
                                           {"over loop"},
                                           {"difference"}};
  return FormatTextTable(columns, rows);
}

absl::Status Run(const GpuBenchOptions& options) {
  const absl::Status valid = Validate(options);
  if (!valid.ok()) return valid;
  const auto figures = MeasureKernels(options);
  if (!figures.ok()) return figures.status();
  std::cout << (options.output == "json"
                    ? absl::StrCat(Json(options, *figures), "\n")
                    : Table(*figures));
  return absl::OkStatus();
}

}  // namespace

void AddGpuBench(CLI::App& app) {
  CLI::App* const gpu = app.add_subcommand(
      "gpu", "How fast a GPU computes experts, one by one and grouped");
  const auto options = std::make_shared<GpuBenchOptions>();
  AddFlags(*gpu, *options);
  gpu->callback([options] {
    const absl::Status status = Run(*options);
    if (status.ok()) return;
    std::cerr << "balancemoe-bench gpu: " << status.message() << "\n";
    throw CLI::RuntimeError(absl::IsInvalidArgument(status) ? 2 : 1);
  });
}

}  // namespace balancemoe::worker
