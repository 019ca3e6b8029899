#include "worker/bench/gpu_kernels.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/statistics.h"
#include "common/status_macros.h"
#include "worker/expert/compute_device.h"
#include "worker/moe/expert_ffn.h"
#include "worker/moe/grouped_ffn.h"

namespace balancemoe::worker {
namespace {

constexpr uint64_t kSeed = 1;

// The loop first: the others are compared with it.
constexpr std::array<ExpertKernels, 3> kKernels = {
    ExpertKernels::kLoop, ExpertKernels::kGrouped, ExpertKernels::kGroupedBf16};

const char* NameOf(ExpertKernels kernels) {
  if (kernels == ExpertKernels::kLoop) return "loop";
  return kernels == ExpertKernels::kGrouped ? "grouped" : "grouped-bf16";
}

// What rounding explains: fp32 sums in another order, and 8 bits of bf16.
double MostDifference(ExpertKernels kernels) {
  return kernels == ExpertKernels::kGroupedBf16 ? 0.05 : 1e-3;
}

std::vector<int64_t> RowsOfExperts(int64_t experts, int64_t tokens) {
  double harmonic = 0;
  for (int64_t i = 1; i <= experts; ++i) harmonic += 1.0 / i;
  std::vector<int64_t> rows;
  int64_t left = tokens;
  for (int64_t i = 1; i < experts; ++i) {
    rows.push_back(static_cast<int64_t>(tokens / harmonic / i));
    left -= rows.back();
  }
  rows.push_back(left);
  return rows;
}

// A layer's experts with their batches.
class Experts {
 public:
  Experts(const GpuBenchOptions& options, const torch::Device& device)
      : shape_{.hidden = options.hidden, .ffn = options.ffn},
        device_(device),
        slots_(MakeExpertSlab(shape_, options.experts, device)),
        gradients_(MakeExpertSlab(shape_, options.experts, device)),
        rows_(RowsOfExperts(options.experts, options.tokens)),
        x_(Random({options.tokens, options.hidden})),
        gradient_out_(Random({options.tokens, options.hidden})) {
    for (const ExpertSlot& slot : slots_) {
      for (const torch::Tensor& part : slot.tensors.all) {
        // Of a size that keeps that of the rows.
        part.copy_(Random(part.sizes()))
            .div_(std::sqrt(static_cast<double>(part.size(-1))));
      }
    }
  }

  // The rows' gradients, [T, H], which depend on all there is.
  torch::Tensor Compute(ExpertKernels kernels) {
    return kernels == ExpertKernels::kLoop ? Loop() : Grouped(kernels);
  }

  double TimeMs(ExpertKernels kernels) {
    AwaitCompute(device_);
    const absl::Time start = clock_.Now();
    Compute(kernels);
    AwaitCompute(device_);
    return absl::ToDoubleMilliseconds(clock_.Now() - start);
  }

 private:
  // Drawn on the CPU, the same for every device.
  torch::Tensor Random(at::IntArrayRef sizes) {
    return torch::empty(sizes).uniform_(-1, 1, generator_).to(device_);
  }

  torch::Tensor Loop() {
    std::vector<torch::Tensor> results;
    int64_t begin = 0;
    for (size_t i = 0; i < slots_.size(); ++i) {
      const torch::Tensor x = x_.narrow(0, begin, rows_[i]);
      FfnActivations activations;
      const torch::Tensor out = FfnForward(x, slots_[i].tensors, activations);
      results.push_back(
          FfnBackward(out * gradient_out_.narrow(0, begin, rows_[i]), x,
                      activations, slots_[i].tensors, gradients_[i].tensors));
      begin += rows_[i];
    }
    return torch::cat(results);
  }

  torch::Tensor Grouped(ExpertKernels kernels) {
    ExpertGroup group;
    group.slots = AllSlotsOf(shape_, slots_.front().slab);
    group.rows_of_slot = rows_;
    group.dtype = MatrixDtypeOf(kernels);
    FfnActivations activations;
    const torch::Tensor out = GroupedForward(x_, group, activations);
    ExpertTensors gradient;
    return GroupedBackward(out * gradient_out_, x_, activations, group,
                           gradient);
  }

  const ExpertShape shape_;
  const torch::Device device_;
  const SteadyClock clock_;
  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(kSeed);
  const std::vector<ExpertSlot> slots_;
  const std::vector<ExpertSlot> gradients_;
  const std::vector<int64_t> rows_;
  const torch::Tensor x_;
  const torch::Tensor gradient_out_;
};

absl::StatusOr<std::vector<KernelFigures>> Compare(Experts& experts) {
  std::vector<KernelFigures> figures;
  const torch::Tensor expected = experts.Compute(ExpertKernels::kLoop);
  for (const ExpertKernels kernels : kKernels) {
    const torch::Tensor difference = experts.Compute(kernels) - expected;
    figures.push_back({.name = NameOf(kernels)});
    figures.back().difference = difference.abs().max().item<double>() /
                                expected.abs().max().item<double>();
    // Not a number is no good either.
    if (figures.back().difference <= MostDifference(kernels)) continue;
    return absl::InternalError(absl::StrCat(
        figures.back().name, " differs from the loop by ",
        figures.back().difference, "; at most ", MostDifference(kernels)));
  }
  return figures;
}

std::vector<KernelFigures> Time(const GpuBenchOptions& options,
                                Experts& experts,
                                std::vector<KernelFigures> figures) {
  std::array<std::vector<double>, kKernels.size()> ms;
  std::array<std::vector<double>, kKernels.size()> ratios;
  for (int64_t round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < kKernels.size(); ++i) {
      const size_t next = (i + static_cast<size_t>(round)) % kKernels.size();
      ms[next].push_back(experts.TimeMs(kKernels[next]));
    }
    for (size_t i = 0; i < kKernels.size(); ++i) {
      ratios[i].push_back(ms[0].back() / ms[i].back());
    }
  }
  // Two matrices, each in forward and twice in backward.
  const double flops = 12.0 * static_cast<double>(options.tokens) *
                       static_cast<double>(options.hidden * options.ffn);
  for (size_t i = 0; i < kKernels.size(); ++i) {
    figures[i].ms = Median(ms[i]);
    figures[i].tflops = flops / figures[i].ms / 1e9;
    figures[i].speedup_over_loop = Median(ratios[i]);
  }
  return figures;
}

}  // namespace

absl::StatusOr<std::vector<KernelFigures>> MeasureKernels(
    const GpuBenchOptions& options) {
  const torch::NoGradGuard no_grad;
  const torch::Device device(
      options.device == "cuda" ? torch::kCUDA : torch::kCPU,
      options.device == "cuda" ? 0 : -1);
  BMOE_RETURN_IF_ERROR(OpenComputeDevice(device));
  try {
    Experts experts(options, device);
    BMOE_ASSIGN_OR_RETURN(auto figures, Compare(experts));
    return Time(options, experts, std::move(figures));
  } catch (const c10::Error& error) {
    return absl::ResourceExhaustedError(error.what_without_backtrace());
  }
}

}  // namespace balancemoe::worker
