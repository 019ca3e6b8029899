#include "worker/train/gradient_bucket.h"

#include <cstddef>

#include "absl/types/span.h"
#include "common/status_macros.h"

namespace balancemoe::worker {

GradientBucket::GradientBucket(const std::vector<torch::Tensor>& parameters) {
  int64_t size = 1;
  for (const torch::Tensor& parameter : parameters) size += parameter.numel();
  flat_ = torch::zeros({size});
  int64_t begin = 0;
  for (const torch::Tensor& parameter : parameters) {
    parameter.mutable_grad() =
        flat_.narrow(/*dim=*/0, begin, parameter.numel()).view_as(parameter);
    begin += parameter.numel();
  }
}

absl::StatusOr<float> GradientBucket::Sum(float loss, Transport& transport) {
  float* const values = flat_.mutable_data_ptr<float>();
  const auto size = static_cast<size_t>(flat_.numel());
  values[size - 1] = loss;
  BMOE_RETURN_IF_ERROR(
      transport.AllReduceSum(absl::MakeSpan(values, size), ComputeStream()));
  return values[size - 1];
}

}  // namespace balancemoe::worker
