#include "worker/moe/compute_probe.h"

#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "worker/expert/compute_device.h"

namespace balancemoe::worker {
namespace {

// A layer's rows do not fit into the caches that one expert's do.
constexpr size_t kExperts = 4;
// Other layers' data, as a multiple of what the timed one touches.
constexpr int64_t kOthers = 3;
// Of one expert's timed forward and backward; some ten milliseconds of a core.
constexpr double kFlops = 1.6e9;
constexpr int64_t kMinRows = 32;
constexpr int64_t kMaxRows = 512;
// A GPU does as much in a moment, and little work says nothing of it.
constexpr int64_t kGpuFactor = 16;

int64_t RowsToTime(const ExpertShape& shape, const torch::Device& device) {
  const double flops_per_row =
      12.0 * static_cast<double>(shape.hidden * shape.ffn);
  return std::clamp(static_cast<int64_t>(kFlops / flops_per_row) / 16 * 16,
                    kMinRows, kMaxRows) *
         (device.is_cpu() ? 1 : kGpuFactor);
}

// Floats that a row passes through, forward.
int64_t FloatsPerRow(const ExpertShape& shape) {
  return 2 * shape.hidden + shape.w1_rows() + shape.ffn;
}

// Between the order of tokens and that of experts.
torch::Tensor Reorder(const torch::Tensor& rows) {
  const torch::Tensor order =
      torch::arange(rows.size(0) - 1, -1, -1,
                    torch::TensorOptions(torch::kLong).device(rows.device()));
  return rows.index_select(0, order);
}

}  // namespace

ComputeProbe::ComputeProbe(const ExpertShape& shape, ExpertKernels kernels,
                           const torch::Device& device)
    : shape_(shape),
      kernels_(kernels),
      options_(device),
      parameters_(MakeExpertSlab(shape, kExperts, device)),
      gradient_(MakeExpertSlab(shape, 1, device).front()),
      rows_(RowsToTime(shape, device)),
      others_(device.is_cpu()
                  ? torch::zeros({kOthers * static_cast<int64_t>(kExperts) *
                                  rows_ * FloatsPerRow(shape)})
                  : torch::Tensor()) {
  const torch::NoGradGuard no_grad;
  for (const ExpertSlot& slot : parameters_) {
    for (const torch::Tensor& part : slot.tensors.all) part.fill_(0.01);
  }
}

torch::Tensor ComputeProbe::Rows(int64_t per_expert) const {
  return torch::ones(
      {static_cast<int64_t>(kExperts) * per_expert, shape_.hidden}, options_);
}

double ComputeProbe::Since(absl::Time start) const {
  AwaitCompute(options_.device());
  return absl::ToDoubleMicroseconds(clock_.Now() - start);
}

void ComputeProbe::PrepareCaches(Caches caches) const {
  if (caches == Caches::kCold && others_.defined()) others_.add_(1);
}

// As a layer does it, with as many copies of the rows, but for the links.
ComputeTimes ComputeProbe::Time(const torch::Tensor& rows,
                                Caches caches) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor weights = torch::ones({rows.size(0), 1}, options_);
  std::array<FfnActivations, kExperts> activations;
  PrepareCaches(caches);
  const absl::Time forward = clock_.Now();
  const torch::Tensor x = Reorder(rows).clone();
  const torch::Tensor out = Reorder(Forward(x, absl::MakeSpan(activations)));
  const torch::Tensor weighted = out * weights;
  const double forward_us = Since(forward);
  PrepareCaches(caches);
  const absl::Time backward = clock_.Now();
  const torch::Tensor gradient_weights = (weighted * out).sum(1);
  const torch::Tensor gradient_out = Reorder(weighted * weights).clone();
  Reorder(Backward(gradient_out, x, activations));
  return {forward_us, Since(backward)};
}

ComputeTimes ComputeProbe::PerExpert(const ComputeTimes& times) {
  return {times.forward_us / kExperts, times.backward_us / kExperts};
}

ExpertGroup ComputeProbe::GroupOf(const torch::Tensor& x) const {
  ExpertGroup group;
  group.slots = AllSlotsOf(shape_, parameters_.front().slab);
  group.rows_of_slot.assign(kExperts,
                            x.size(0) / static_cast<int64_t>(kExperts));
  group.dtype = MatrixDtypeOf(kernels_);
  return group;
}

torch::Tensor ComputeProbe::Forward(
    const torch::Tensor& x, absl::Span<FfnActivations> activations) const {
  if (kernels_ != ExpertKernels::kLoop) {
    return GroupedForward(x, GroupOf(x), activations.front()).clone();
  }
  std::vector<torch::Tensor> batches = x.chunk(kExperts);
  for (size_t i = 0; i < kExperts; ++i) {
    batches[i] = FfnForward(batches[i], parameters_[i].tensors, activations[i]);
  }
  return torch::cat(batches);
}

torch::Tensor ComputeProbe::Backward(
    const torch::Tensor& gradient_out, const torch::Tensor& x,
    absl::Span<const FfnActivations> activations) const {
  if (kernels_ != ExpertKernels::kLoop) {
    ExpertTensors gradient;
    return GroupedBackward(gradient_out, x, activations.front(), GroupOf(x),
                           gradient)
        .clone();
  }
  std::vector<torch::Tensor> gradients = gradient_out.chunk(kExperts);
  const std::vector<torch::Tensor> batches = x.chunk(kExperts);
  for (size_t i = 0; i < kExperts; ++i) {
    gradients[i] = FfnBackward(gradients[i], batches[i], activations[i],
                               parameters_[i].tensors, gradient_.tensors);
  }
  return torch::cat(gradients);
}

}  // namespace balancemoe::worker
