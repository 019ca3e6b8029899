#include "worker/train/gradient_bucket.h"

#include <cstddef>

#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/expert/compute_device.h"

namespace balancemoe::worker {

GradientBucket::GradientBucket(const std::vector<torch::Tensor>& parameters) {
  int64_t size = 1;
  for (const torch::Tensor& parameter : parameters) size += parameter.numel();
  flat_ =
      torch::zeros({size}, parameters.empty() ? torch::TensorOptions()
                                              : parameters.front().options());
  int64_t begin = 0;
  for (const torch::Tensor& parameter : parameters) {
    parameter.mutable_grad() =
        flat_.narrow(/*dim=*/0, begin, parameter.numel()).view_as(parameter);
    begin += parameter.numel();
  }
}

absl::StatusOr<float> GradientBucket::Sum(float loss, Transport& transport) {
  torch::Tensor total = flat_[flat_.numel() - 1];
  total.fill_(loss);
  AwaitCompute(flat_.device());
  BMOE_RETURN_IF_ERROR(
      transport.AllReduceSum(absl::MakeSpan(flat_.mutable_data_ptr<float>(),
                                            static_cast<size_t>(flat_.numel())),
                             ComputeStream()));
  return total.item<float>();
}

}  // namespace balancemoe::worker
