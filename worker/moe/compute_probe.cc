#include "worker/moe/compute_probe.h"

#include <torch/utils.h>

#include <algorithm>

#include "worker/expert/compute_device.h"
#include "worker/moe/expert_ffn.h"

namespace balancemoe::worker {
namespace {

// Of one timed forward and backward; some ten milliseconds of one core.
constexpr double kFlops = 1e9;
constexpr int64_t kMinRows = 32;
constexpr int64_t kMaxRows = 512;
// A GPU does as much in a moment, and little work says nothing of it.
constexpr int64_t kGpuFactor = 64;

int64_t RowsToTime(const ExpertShape& shape, const torch::Device& device) {
  const double flops_per_row =
      12.0 * static_cast<double>(shape.hidden * shape.ffn);
  return std::clamp(static_cast<int64_t>(kFlops / flops_per_row) / 16 * 16,
                    kMinRows, kMaxRows) *
         (device.is_cpu() ? 1 : kGpuFactor);
}

// What a layer does with rows on each side of an expert, links apart: puts them
// into send order, and copies them between buffer and batch.
torch::Tensor Carry(const torch::Tensor& rows) {
  const torch::Tensor order =
      torch::arange(rows.size(0) - 1, -1, -1,
                    torch::TensorOptions(torch::kLong).device(rows.device()));
  return rows.index_select(0, order).clone();
}

}  // namespace

ComputeProbe::ComputeProbe(const ExpertShape& shape, ExpertKernels kernels,
                           const torch::Device& device)
    : shape_(shape),
      kernels_(kernels),
      options_(device),
      parameters_(MakeExpertSlab(shape, 1, device).front()),
      gradients_(MakeExpertSlab(shape, 1, device).front()),
      rows_(RowsToTime(shape, device)) {
  const torch::NoGradGuard no_grad;
  for (const torch::Tensor& part : parameters_.tensors.all) part.fill_(0.01);
}

torch::Tensor ComputeProbe::Rows(int64_t count) const {
  return torch::ones({count, shape_.hidden}, options_);
}

double ComputeProbe::Since(absl::Time start) const {
  AwaitCompute(options_.device());
  return absl::ToDoubleMicroseconds(clock_.Now() - start);
}

ComputeTimes ComputeProbe::Time(const torch::Tensor& rows) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor weights = torch::ones({rows.size(0), 1}, options_);
  FfnActivations activations;
  const absl::Time start = clock_.Now();
  const torch::Tensor x = Carry(rows);
  const torch::Tensor out = Carry(Forward(x, activations)) * weights;
  const double forward_us = Since(start);
  Carry(Backward(Carry(out * weights), x, activations));
  return {forward_us, Since(start) - forward_us};
}

ExpertGroup ComputeProbe::GroupOf(int64_t rows) const {
  ExpertGroup group;
  group.slots = AllSlotsOf(shape_, parameters_.slab);
  group.rows_of_slot = {rows};
  group.dtype = MatrixDtypeOf(kernels_);
  return group;
}

torch::Tensor ComputeProbe::Forward(const torch::Tensor& x,
                                    FfnActivations& activations) const {
  if (kernels_ == ExpertKernels::kLoop) {
    return FfnForward(x, parameters_.tensors, activations);
  }
  return GroupedForward(x, GroupOf(x.size(0)), activations);
}

torch::Tensor ComputeProbe::Backward(const torch::Tensor& gradient_out,
                                     const torch::Tensor& x,
                                     const FfnActivations& activations) const {
  if (kernels_ == ExpertKernels::kLoop) {
    return FfnBackward(gradient_out, x, activations, parameters_.tensors,
                       gradients_.tensors);
  }
  ExpertTensors gradient;
  return GroupedBackward(gradient_out, x, activations, GroupOf(x.size(0)),
                         gradient);
}

}  // namespace balancemoe::worker
